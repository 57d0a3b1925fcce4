"""A search with scripted hits, for tests of selections. The real search has its own tests."""

import asyncio
from collections.abc import Container, Sequence
from typing import Any

import pytest

from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry, FunctionEntry, ServerEntry
from assistants.selection import search as selection_search
from tests.assistants.agent.conftest import entry, function
from tools.search.scope import Scope
from tools.search.searching import Ranking, Scored

TIME, MAPS = ServerEntry(1, "Time", "time"), ServerEntry(2, "Maps", "maps")
LOCAL = Endpoint("http://127.0.0.1:9/v1", "", "m")


class ScriptedSearch:
    """Answers each text with the public names that a test gives, the best first."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str]] = {}
        self.asked: list[str] = []
        self.scopes: list[Scope] = []
        self.limits: list[int] = []
        self.degraded = ""
        self.failure: Exception | None = None
        self.delay_s = 0.0

    async def __call__(
        self, texts: Sequence[str], scope: Scope, *, limit: int, known: Container[str], **_: Any
    ) -> Ranking:
        (text,) = texts
        self.asked.append(text)
        self.scopes.append(scope)
        self.limits.append(limit)
        await asyncio.sleep(self.delay_s)
        if self.failure:
            raise self.failure
        hits = [Scored(name, 1 - rank / 100) for rank, name in enumerate(self.answers.get(text, ()))]
        return Ranking([hit for hit in hits if hit.public_name in known][:limit], "tiny", self.degraded)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> ScriptedSearch:
    search = ScriptedSearch()
    monkeypatch.setattr(selection_search, "rank", search)
    return search


def functions(*names: str, server: ServerEntry = TIME, **changes: Any) -> tuple[FunctionEntry, ...]:
    return tuple(function(name, server=server, **changes) for name in names)


def selecting(*of: FunctionEntry, **changes: Any) -> AssistantEntry:
    """Returns an assistant that selects among these functions."""
    by_name = tuple(sorted(of, key=lambda each: each.public_name))
    return entry(
        LOCAL, **{"functions": by_name, "servers": (TIME, MAPS), "selection": "retrieved", **changes}
    )
