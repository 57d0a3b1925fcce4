"""What a choice of tools depends on, and how it is told. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assistants.catalogue.entries import AssistantEntry
from assistants.events import Candidate, Reason, ToolsSelected
from assistants.selection.budget import Basket, Offer
from assistants.selection.search import Finding


@dataclass(frozen=True, slots=True)
class Situation:
    """`said`: see `query.said`. `room`: how many tools the LLM service still takes.

    `used`: public names of what the conversation has used, the latest first. `forced`: what `tool_choice`
    names. Tools of servers that are not among `server_ids` cannot be called now.
    """

    assistant: AssistantEntry
    server_ids: Collection[int]
    said: str
    room: int
    used: Sequence[str] = ()
    forced: str = ""

    def kept(self, called: Mapping[str, Reason]) -> dict[str, Reason]:
        """What gets in whatever is searched for, by name and in the order of its right to a place.

        `called`: in this run.
        """
        forced: dict[str, Reason] = {self.forced: "forced"}
        pinned: dict[str, Reason] = dict.fromkeys(
            (each.public_name for each in self.assistant.functions if each.is_pinned), "pinned"
        )
        used: dict[str, Reason] = dict.fromkeys(self.used, "used")
        kept: dict[str, Reason] = {}
        for group in (forced, pinned, called, used):
            for name, reason in group.items():
                kept.setdefault(name, reason)
        return {name: reason for name, reason in kept.items() if self._is_callable(name)}

    def _is_callable(self, name: str) -> bool:
        function = self.assistant.by_name.get(name)
        return function is not None and function.server_id in self.server_ids


@dataclass(frozen=True, slots=True)
class Choice:
    """`offers`: in the order of their right to a place."""

    offers: Sequence[Offer]
    told: ToolsSelected

    @property
    def in_stable_order(self) -> Sequence[Offer]:
        """The pinned ones first, each kind by name, so that an LLM's prompt cache holds."""
        return sorted(
            self.offers, key=lambda offer: (not offer.function.is_pinned, offer.function.public_name)
        )


def choice(assistant: AssistantEntry, basket: Basket, kept: Mapping[str, Reason], found: Finding) -> Choice:
    """What is in `basket`, of what was kept and found."""
    offers = basket.offers()
    scores = {hit.function.public_name: hit.score for hit in found.hits}
    candidates = tuple(
        Candidate(name, kept.get(name) or _reason(scores[name]), scores.get(name), name in basket)
        for name in dict.fromkeys([*kept, *scores])
    )
    ranked = [each.score for each in candidates if each.reason == "ranked" and each.chosen]
    told = ToolsSelected(
        mode="search" if assistant.selection == "search" else "retrieved",
        embedder=found.embedder,
        degraded=found.degraded,
        k=assistant.top_k,
        cutoff=min((score for score in ranked if score is not None), default=None),
        budget=assistant.schema_token_budget,
        tokens=sum(offer.tokens for offer in offers),
        tokens_all=sum(each.tokens for each in assistant.functions),
        candidates=candidates,
    )
    return Choice(offers, told)


def _reason(score: float | None) -> Reason:
    return "listed" if score is None else "ranked"
