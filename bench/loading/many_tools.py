"""Ten thousand tools to search among, within a minute.

Their words are made up: some are frequent, most are rare, as in a language. So are their vectors: making true
ones takes minutes, and a search of them costs the same.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from django.db import connection

from assistants import actions as assistant_actions
from bench.web import BY
from tools import actions
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction
from tools.search import embedder, lexical

SERVERS, TOOLS_OF_EACH, QUERIES = 100, 100, 40
SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu")
VOCABULARY = 3000
_VECTORS = """
    UPDATE {table} SET embedder = %s, embedding = l2_normalize(
        (SELECT array_agg(random() - 0.5) FROM generate_series(1, %s) WHERE {table}.id > 0)::vector
    )
"""


def add() -> list[str]:
    """Adds them at servers that do not run, with an assistant that may use all. Returns queries."""
    say = _speaker(random.Random(3))  # noqa: S311 - no secret
    servers = [_server(number, say) for number in range(SERVERS)]
    assistant_actions.create(by=BY, name="everything", slug="everything", tools=servers)
    index()
    return [say(8) for _ in range(QUERIES)]


def index() -> None:
    """Indexes whatever tools there are."""
    while lexical.index_some():
        pass
    _embed()


def _speaker(chance: random.Random) -> Callable[[int], str]:
    """Returns what makes a text of so many words, of which the n-th most frequent has a weight of 1/n."""
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(VOCABULARY)]
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    return lambda number: " ".join(chance.choices(words, weights, k=number))


def _server(number: int, say: Callable[[int], str]) -> MCPTool:
    server = actions.register(
        by=BY,
        name=f"many {number}",
        description=say(12),
        connection_type="stdio",
        command="python",
        is_enabled=False,
    )
    catalogue.record(server.pk, [_tool(index, say) for index in range(TOOLS_OF_EACH)])
    return server


def _tool(number: int, say: Callable[[int], str]) -> dict[str, Any]:
    properties = {word: {"type": "string", "description": say(6)} for word in say(3).split()}
    return {
        "name": f"{say(2).replace(' ', '_')}_{number}",
        "description": say(25),
        "inputSchema": {"type": "object", "properties": properties},
    }


def _embed() -> None:
    if (active := embedder.active()) is None:
        return
    [vector] = asyncio.run(active.embed_query(["a tool"]))
    with connection.cursor() as cursor:
        for model in (MCPTool, ToolFunction):
            cursor.execute(_VECTORS.format(table=model._meta.db_table), [active.name, len(vector)])
            cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")
