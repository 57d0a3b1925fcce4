"""selection = retrieved: the tools of each round, by what the user said, and by what the model asks for."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from assistants.events import Reason
from assistants.selection import query
from assistants.selection.budget import Basket
from assistants.selection.context import Choice, Situation, choice
from assistants.selection.search import Finder, Finding, Hit

CANDIDATES = 50
"""As many tools as a search is asked for at least: what did not get in is told too."""


@dataclass(slots=True)
class Chooser:
    """Of one run. Nothing is searched for twice."""

    situation: Situation
    _by_request: Finding | None = None
    _by_wish: Finding = field(default_factory=Finding)
    _wish: str = ""
    _called: dict[str, Reason] = field(default_factory=dict)
    _given: Collection[str] = ()

    async def choose(self, said: str = "", called: Collection[str] = ()) -> Choice | None:
        """For the next round. In the last one the model said this, and called these tools, but the caller's.

        None where it stays as it was.
        """
        is_first, is_named = self._by_request is None, self._note(called)
        ours = self.situation.assistant.by_name
        wish = query.wanted(said, (name for name in called if name not in ours)) or self._wish
        if not is_first and not is_named and wish == self._wish:
            return None
        if self._by_request is None:
            self._by_request = await self._find(self.situation.said)
        if wish != self._wish:
            self._wish, self._by_wish = wish, await self._find(wish)
        return self._chosen(_taking_turns(self._by_wish, self._by_request))

    def _note(self, called: Collection[str]) -> bool:
        """What the run has called stays. Whether one of these is ours, and was not given to the model."""
        ours = [name for name in called if name in self.situation.assistant.by_name]
        for name in ours:
            self._called.setdefault(name, "used" if name in self._given else "named")
        return any(name not in self._given for name in ours)

    async def _find(self, text: str) -> Finding:
        situation = self.situation
        limit = max(CANDIDATES, situation.assistant.top_k + len(situation.kept(self._called)))
        return await Finder(situation.assistant, situation.server_ids).find(text, limit=limit)

    def _chosen(self, found: Finding) -> Choice:
        assistant, kept = self.situation.assistant, self.situation.kept(self._called)
        basket = Basket(assistant.schema_token_budget, self.situation.room)
        for name in kept:
            basket.put(assistant.by_name[name])
        hits = (hit.function for hit in found.hits if hit.function.public_name not in kept)
        basket.fill(hits, assistant.top_k)
        chosen = choice(assistant, basket, kept, found)
        self._given = {offer.function.public_name for offer in chosen.offers}
        return chosen


def _taking_turns(first: Finding, second: Finding) -> Finding:
    """The best of each, the second best of each, and so on; none twice, and each with its better score.

    What was not searched for takes no place of what was.
    """
    searched = [each.hits for each in (first, second) if each.is_searched] or [second.hits]
    best: dict[str, Hit] = {}
    for hit in chain.from_iterable(zip_longest(*searched)):
        if hit is not None:
            known = best.setdefault(hit.function.public_name, hit)
            best[hit.function.public_name] = max(known, hit, key=lambda each: each.score or 0)
    embedder, degraded = first.embedder or second.embedder, first.degraded or second.degraded
    return Finding([*best.values()], embedder, degraded)
