"""The context of a selection, which is all that it depends on beside a search, and its result. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from assistants.catalogue.entries import AssistantEntry
from assistants.events import Candidate, Reason, ToolsSelected
from assistants.selection.budget import SelectedTool, TokenBudget
from assistants.selection.search import SearchResult


@dataclass(frozen=True, slots=True)
class SelectionContext:
    """The context in which tools are selected for a run.

    `server_ids`: the servers that can be called now; tools of others are never selected. `query`: the
    request, see `query.from_messages`. `max_tools`: how many tools the LLM service accepts beside the
    caller's own. `used`: public names of tools that the conversation has used, the latest first. `forced`:
    the public name that `tool_choice` gives, or "".
    """

    assistant: AssistantEntry
    server_ids: Collection[int]
    query: str
    max_tools: int
    used: Sequence[str] = ()
    forced: str = ""

    def preselected(self, called: Mapping[str, Reason]) -> dict[str, Reason]:
        """Returns the tools that are selected whatever a search finds: public names with their reasons.

        They come in the order in which the budget admits them. `called`: what this run has called so far.
        """
        forced: dict[str, Reason] = {self.forced: "forced"}
        pinned: dict[str, Reason] = dict.fromkeys(self.assistant.pinned, "pinned")
        used: dict[str, Reason] = dict.fromkeys(self.used, "used")
        reasons: dict[str, Reason] = {}
        for group in (forced, pinned, called, used):
            for name, reason in group.items():
                reasons.setdefault(name, reason)
        return {name: reason for name, reason in reasons.items() if self._is_callable(name)}

    def _is_callable(self, name: str) -> bool:
        function = self.assistant.by_name.get(name)
        return function is not None and function.server_id in self.server_ids


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """The selected tools, by rank, and the event that reports how they were selected."""

    tools: Sequence[SelectedTool]
    event: ToolsSelected

    @classmethod
    def of(
        cls,
        assistant: AssistantEntry,
        budget: TokenBudget,
        preselected: Mapping[str, Reason],
        result: SearchResult,
    ) -> Self:
        """Selects what `budget` has admitted. Reports all of `preselected` and `result` as candidates."""
        tools = budget.selected()
        scores = {hit.function.public_name: hit.score for hit in result.hits}
        candidates = tuple(
            Candidate(name, preselected.get(name) or _reason(scores[name]), scores.get(name), name in budget)
            for name in dict.fromkeys([*preselected, *scores])
        )
        ranked = [each.score for each in candidates if each.reason == "ranked" and each.chosen]
        event = ToolsSelected(
            mode="search" if assistant.selection == "search" else "retrieved",
            embedder=result.embedder,
            degraded=result.degraded,
            k=assistant.top_k,
            cutoff=min((score for score in ranked if score is not None), default=None),
            budget=assistant.schema_token_budget,
            tokens=sum(tool.tokens for tool in tools),
            tokens_all=assistant.tokens,
            candidates=candidates,
        )
        return cls(tools, event)

    @property
    def in_stable_order(self) -> Sequence[SelectedTool]:
        """The pinned tools first, and each kind by name.

        LLM services cache prompts by their beginning, which holds the definitions: by rank, a tool that moves
        up by one would invalidate the whole cache.
        """
        return sorted(self.tools, key=lambda tool: (not tool.function.is_pinned, tool.function.public_name))


def _reason(score: float | None) -> Reason:
    return "listed" if score is None else "ranked"
