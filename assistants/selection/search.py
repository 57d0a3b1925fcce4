"""The search of a selection. It never fails, and takes a second at most: else it lists tools by name."""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from core.database import DATABASE_ERRORS
from tools.search import Ranking, Scope, rank

log = logging.getLogger(__name__)

WITHIN_S = 1.0
EMBED_WITHIN_S = 0.6
"""After so many seconds without a vector, the rest of WITHIN_S is left for a search by words alone."""


class Hit(NamedTuple):
    """A tool with its score, which is None for one that was listed by name rather than found."""

    function: FunctionEntry
    score: float | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, the best first. `degraded` says why they are worse than they could be, or is ""."""

    hits: Sequence[Hit] = ()
    embedder: str = ""
    degraded: str = ""

    @property
    def is_searched(self) -> bool:
        """Whether a search found the hits. False where they are listed by name, and where there are none."""
        return any(hit.score is not None for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches the tools that an assistant has on these servers."""

    assistant: AssistantEntry
    server_ids: Collection[int]

    async def search(self, query: str, *, limit: int) -> SearchResult:
        """Returns at most `limit` hits, and at least one if there is any tool. It raises nothing."""
        if next(self.functions(), None) is None:
            return SearchResult()
        if not query:
            return self._listed(limit, "There was nothing to search with.")
        found = await self._search(query, limit)
        known = self.assistant.by_name
        hits = [Hit(known[hit.public_name], hit.score) for hit in found.hits]
        if not hits:
            return self._listed(limit, found.degraded or "Nothing was found.")
        return SearchResult(hits, found.embedder, found.degraded)

    def functions(self) -> Iterator[FunctionEntry]:
        """Yields every tool of the assistant on these servers, by name."""
        return (each for each in self.assistant.functions if each.server_id in self.server_ids)

    async def _search(self, query: str, limit: int) -> Ranking:
        try:
            async with asyncio.timeout(WITHIN_S):
                # The index may be newer than the entry from memory: what the entry lacks cannot be given.
                known = self.assistant.by_name
                return await rank(
                    [query], self._scope, limit=limit, known=known, embed_within_s=EMBED_WITHIN_S
                )
        except DATABASE_ERRORS as error:
            log.warning("Tools cannot be searched: %s", type(error).__name__)
            return Ranking((), "", "The search did not answer in time, or the database is away.")
        except Exception:  # the search's boundary: a chat goes on without it
            log.exception("Searching for tools failed unexpectedly")
            return Ranking((), "", "The search failed.")

    @property
    def _scope(self) -> Scope:
        narrowed = {
            server.id: server.narrowed_to
            for server in self.assistant.servers
            if server.narrowed_to is not None and server.id in self.server_ids
        }
        used_by = self.assistant.id if self.assistant.learns else None
        return Scope(frozenset(self.server_ids), narrowed, used_by)

    def _listed(self, limit: int, reason: str) -> SearchResult:
        return SearchResult([Hit(each, None) for each in islice(self.functions(), limit)], degraded=reason)
