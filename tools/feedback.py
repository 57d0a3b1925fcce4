"""What functions were used for, by whom: what a search may prefer them for at similar requests."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection
from pgvector import Vector

from tools.models import FunctionUse

_RECORD = """
INSERT INTO tools_functionuse AS known (used_by, function_id, embedder, uses, requests)
SELECT %(used_by)s, id, %(embedder)s, 1, %(vector)s::vector
FROM tools_toolfunction
WHERE (server_id, name) IN (SELECT * FROM unnest(%(servers)s::bigint[], %(names)s::text[]))
ORDER BY id
ON CONFLICT (used_by, function_id, embedder) DO UPDATE SET
    uses = CASE WHEN comparable THEN known.uses ELSE 0 END + 1,
    requests = CASE WHEN comparable THEN known.requests + excluded.requests ELSE excluded.requests END
""".replace("comparable", "vector_dims(known.requests) = vector_dims(excluded.requests)")
"""Ordered: two processes that write the same rows in two orders would wait for each other."""


def record(
    used_by: int, functions: Collection[tuple[int, str]], vector: Sequence[float], embedder: str
) -> None:
    """These functions, by server id and name, served a request. `vector`: the request's, of length 1.

    Functions that are gone are passed over.
    """
    asked: Any = {
        "used_by": used_by,
        "embedder": embedder,
        "vector": Vector(list(vector)).to_text(),
        "servers": [server_id for server_id, _ in functions],
        "names": [name for _, name in functions],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, asked)


def forget(used_by: int) -> None:
    """Everything that was learned from this one's uses."""
    FunctionUse.objects.filter(used_by=used_by).delete()
