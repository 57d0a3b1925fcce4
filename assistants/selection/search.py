"""The search of a selection. No chat waits for it: without an answer in time the first by name must do."""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from core.database import DATABASE_ERRORS
from tools.search import Found, Scope, search

log = logging.getLogger(__name__)

WITHIN_S = 1.0
EMBED_WITHIN_S = 0.6
"""After it words alone are searched for, in what is left."""


@dataclass(frozen=True, slots=True)
class Hit:
    """`score` is None where the tool was not searched for: it is one of the first by name."""

    function: FunctionEntry
    score: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Best first. `degraded`: why it is not as good as it could be, or ""."""

    hits: Sequence[Hit] = ()
    embedder: str = ""
    degraded: str = ""

    @property
    def is_searched(self) -> bool:
        return any(hit.score is not None for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Finder:
    """Searches an assistant's tools on these servers."""

    assistant: AssistantEntry
    server_ids: Collection[int]

    async def find(self, text: str, *, limit: int) -> Finding:
        """At most `limit` tools, and none only where there is none."""
        if next(self.functions(), None) is None:
            return Finding()
        if not text:
            return self._listed(limit, "There was nothing to search with.")
        found = await self._search(text, limit)
        known = self.assistant.by_name
        hits = [Hit(known[hit.public_name], hit.score) for hit in found.hits if hit.public_name in known]
        if not hits:
            return self._listed(limit, found.degraded or "Nothing was found.")
        return Finding(hits, found.embedder, found.degraded)

    def functions(self) -> Iterator[FunctionEntry]:
        """All of them, by name."""
        return (each for each in self.assistant.functions if each.server_id in self.server_ids)

    async def _search(self, text: str, limit: int) -> Found:
        try:
            async with asyncio.timeout(WITHIN_S):
                return await search([text], self._scope, limit=limit, embed_within_s=EMBED_WITHIN_S)
        except DATABASE_ERRORS as error:
            log.warning("Tools cannot be searched: %s", type(error).__name__)
            return Found((), "", "The search did not answer in time, or the database is away.")
        except Exception:  # the search's boundary: a chat goes on without it
            log.exception("Searching for tools failed unexpectedly")
            return Found((), "", "The search failed.")

    @property
    def _scope(self) -> Scope:
        narrowed = {
            server.id: server.narrowed_to
            for server in self.assistant.servers
            if server.narrowed_to is not None and server.id in self.server_ids
        }
        used_by = self.assistant.id if self.assistant.learns else None
        return Scope(frozenset(self.server_ids), narrowed, used_by)

    def _listed(self, limit: int, reason: str) -> Finding:
        return Finding([Hit(each, None) for each in islice(self.functions(), limit)], degraded=reason)
