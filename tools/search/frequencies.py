"""How rare words are in a scope: in how few of its tools they occur, as a process remembers it.

To count takes a sixth of a search, and most words of a request have been asked for before. The change feed
tells when words have been counted anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core import reading
from core.feed import FeedCache
from tools.models import WordCount
from tools.search import bm25, parameters

_MOST_SCOPES, _MOST_WORDS = 128, 4_096
Servers = frozenset[int] | None
"""Those in scope; None for all."""
_COUNT = "SELECT word, sum(functions)::bigint FROM tools_wordcount WHERE word = ANY(%(words)s::int[])"
_OF_ALL = f"{_COUNT} GROUP BY word"
_OF_SERVERS = f"{_COUNT} AND server_id = ANY(%(servers)s::bigint[]) GROUP BY word"


@dataclass(slots=True)
class _Known:
    """What is known of a scope: how many tools are indexed, and how rare words are that were asked for."""

    tools: int | None = None
    rarities: dict[int, float] = field(default_factory=dict)


async def rarities(words: frozenset[int], servers: Servers) -> Mapping[int, float]:
    """Returns by word, of these at least, how rare it is among the indexed tools of these servers.

    Raises django.db.OperationalError.
    """
    # Whoever has no lifespan has no change feed either: a command, or a test.
    scope = await _scopes.get(servers) if reading.is_shared() else _Known()
    if words <= scope.rarities.keys():
        return scope.rarities
    known = {word: scope.rarities[word] for word in words if word in scope.rarities}
    found = known | await _read(words - known.keys(), servers, scope)
    if len(scope.rarities) > _MOST_WORDS:
        scope.rarities.clear()
    scope.rarities |= found
    return found


async def _read(words: frozenset[int], servers: Servers, scope: _Known) -> dict[int, float]:
    counts = await _counted(words if scope.tools is not None else words | {WordCount.EVERY}, servers)
    tools = scope.tools = counts.get(WordCount.EVERY, scope.tools or 0)
    # Counts may be read while they change.
    return {word: bm25.rarity(min(counts.get(word, 0), tools), tools) for word in words}


async def _counted(words: frozenset[int], servers: Servers) -> Mapping[int, int]:
    given = {"words": parameters.numbers(words)}
    if servers is None:
        return dict(await reading.fetch(_OF_ALL, given))
    return dict(await reading.fetch(_OF_SERVERS, given | {"servers": parameters.ids(servers)}))


async def _unknown(_: Servers) -> _Known:
    return _Known()


_scopes: FeedCache[Servers, _Known] = FeedCache(_unknown, [WordCount._meta.db_table], maxsize=_MOST_SCOPES)
