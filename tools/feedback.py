"""Relevance feedback: which tools served which requests, so that a search prefers them for similar ones."""

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
    uses = CASE WHEN same_length THEN known.uses ELSE 0 END + 1,
    requests = CASE WHEN same_length THEN known.requests + excluded.requests ELSE excluded.requests END
""".replace("same_length", "vector_dims(known.requests) = vector_dims(excluded.requests)")
"""Adds one use for each tool, and the request's vector to the sum of its requests.

ORDER BY, because two processes that locked the same rows in two orders would deadlock. Sums of another length
are of the same embedder with other dimensions: they cannot be added to, and start anew.
"""


def record(
    used_by: int, functions: Collection[tuple[int, str]], vector: Sequence[float], embedder: str
) -> None:
    """Records that these tools, by server id and name, served a request with this vector of length 1.

    Tools that do not exist any more are left out.
    """
    parameters: Any = {
        "used_by": used_by,
        "embedder": embedder,
        "vector": Vector(list(vector)).to_text(),
        "servers": [server_id for server_id, _ in functions],
        "names": [name for _, name in functions],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, parameters)


def forget(used_by: int) -> None:
    """Deletes the feedback of this assistant."""
    FunctionUse.objects.filter(used_by=used_by).delete()
