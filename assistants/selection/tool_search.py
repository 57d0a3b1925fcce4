"""selection = search: the model searches for its tools itself, with the meta-tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistants.catalogue.definitions import tokens
from assistants.selection import query
from assistants.selection.budget import TokenBudget
from assistants.selection.context import SelectionContext, ToolSelection
from assistants.selection.meta_tools import MOST_FOUND
from assistants.selection.search import Searcher, SearchResult


@dataclass(frozen=True, slots=True)
class ToolSearch:
    """Selects the tools that the model of one run has at its beginning, and answers its searches."""

    context: SelectionContext

    def initial(self, meta_tools: Sequence[Mapping[str, Any]]) -> ToolSelection:
        """Returns the tools that the model is given beside the meta-tools: the forced and the pinned ones.

        `meta_tools`: their definitions, which count in the token budget and in the number of tools. Tools
        that the conversation has used are left out: the model can call them by name without being given them.
        """
        assistant, preselected = self.context.assistant, replace(self.context, used=()).preselected({})
        taken = sum(map(tokens, meta_tools))
        budget = TokenBudget(assistant.schema_token_budget - taken, self.context.max_tools - len(meta_tools))
        for name in preselected:
            budget.add(assistant.by_name[name])
        selection = ToolSelection.of(assistant, budget, preselected, SearchResult())
        return replace(selection, event=replace(selection.event, tokens=selection.event.tokens + taken))

    async def search(self, text: str, limit: int) -> ToolSelection:
        """Returns what is found, the best first; its definitions take no more than the budget either."""
        assistant = self.context.assistant
        limit = max(1, min(limit, MOST_FOUND))
        searcher = Searcher(assistant, self.context.server_ids)
        result = await searcher.search(query.cut(text), limit=MOST_FOUND)
        budget = TokenBudget(assistant.schema_token_budget, limit)
        budget.fill((hit.function for hit in result.hits), limit)
        return ToolSelection.of(assistant, budget, {}, result)
