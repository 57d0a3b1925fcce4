"""selection = retrieved: selects the tools of each round by the user's request and by the model's intent.

The intent is what the model asks for in a later round: the text that it writes before it calls tools, and the
names of tools that it calls though they do not exist.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from assistants.events import Reason
from assistants.selection import query
from assistants.selection.budget import TokenBudget
from assistants.selection.context import SelectionContext, ToolSelection
from assistants.selection.search import Hit, Searcher, SearchResult

CANDIDATES = 50
"""How many hits a search is asked for at least. Those that are not selected are recorded with the run."""


@dataclass(slots=True)
class Retriever:
    """Selects tools for the rounds of one run. It searches for nothing twice."""

    context: SelectionContext
    _by_request: SearchResult | None = None
    _by_intent: SearchResult = field(default_factory=SearchResult)
    _intent: str = ""
    _called: dict[str, Reason] = field(default_factory=dict)
    _given: Collection[str] = ()

    async def select(self, text: str = "", called: Collection[str] = ()) -> ToolSelection | None:
        """Returns the tools for the next round, or None where those of the last round stay.

        `text`: what the model wrote in the last round. `called`: the names of the tools that it called there,
        without the caller's own.
        """
        is_first, is_named = self._by_request is None, self._note(called)
        ours = self.context.assistant.by_name
        # A round without a text or an unknown name asks for nothing new: the last intent still holds.
        intent = query.from_model(text, (name for name in called if name not in ours)) or self._intent
        if not is_first and not is_named and intent == self._intent:
            return None
        if self._by_request is None:
            self._by_request = await self._search(self.context.query)
        if intent != self._intent:
            self._intent, self._by_intent = intent, await self._search(intent)
        return self._selected(_interleaved(self._by_intent, self._by_request))

    def _note(self, called: Collection[str]) -> bool:
        """Notes called tools, so that they stay. Returns whether one of ours was called without being given.

        A model that calls a tool by a name that it was not given knows it from elsewhere, such as an earlier
        conversation. The call is refused (its arguments were guessed), and the next round gives it the tool.
        """
        ours = [name for name in called if name in self.context.assistant.by_name]
        for name in ours:
            self._called.setdefault(name, "used" if name in self._given else "named")
        return any(name not in self._given for name in ours)

    async def _search(self, text: str) -> SearchResult:
        context = self.context
        # Preselected tools can be among the hits and do not count in top_k: ask for as many more.
        limit = max(CANDIDATES, context.assistant.top_k + len(context.preselected(self._called)))
        return await Searcher(context.assistant, context.server_ids).search(text, limit=limit)

    def _selected(self, result: SearchResult) -> ToolSelection:
        assistant, preselected = self.context.assistant, self.context.preselected(self._called)
        budget = TokenBudget(assistant.schema_token_budget, self.context.max_tools)
        for name in preselected:
            budget.add(assistant.by_name[name])
        hits = (hit.function for hit in result.hits if hit.function.public_name not in preselected)
        budget.fill(hits, assistant.top_k)
        selection = ToolSelection.of(assistant, budget, preselected, result)
        self._given = {tool.function.public_name for tool in selection.tools}
        return selection


def _interleaved(first: SearchResult, second: SearchResult) -> SearchResult:
    """Merges two results: the best hit of each, the second best of each, and so on, without duplicates.

    Scores of two queries cannot be compared, so neither result as a whole may come before the other. A tool
    in both has the better of its scores. A result that was only listed by name is dropped where the other one
    was searched.
    """
    searched = [each.hits for each in (first, second) if each.is_searched] or [second.hits]
    embedder, degraded = first.embedder or second.embedder, first.degraded or second.degraded
    if len(searched) == 1:
        return SearchResult(searched[0], embedder, degraded)
    best: dict[str, Hit] = {}
    for hit in chain.from_iterable(zip_longest(*searched)):
        if hit is not None:
            known = best.setdefault(hit.function.public_name, hit)
            best[hit.function.public_name] = max(known, hit, key=lambda each: each.score or 0)
    return SearchResult([*best.values()], embedder, degraded)
