"""selection = search: the model looks for its tools itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistants.catalogue.definitions import tokens
from assistants.selection import query
from assistants.selection.budget import Basket
from assistants.selection.context import Choice, Situation, choice
from assistants.selection.meta_tools import MOST_FOUND
from assistants.selection.search import Finder, Finding


@dataclass(frozen=True, slots=True)
class Lookup:
    """Of one run."""

    situation: Situation

    def given(self, pair: Sequence[Mapping[str, Any]]) -> Choice:
        """What the model is given beside `pair`, which takes its part of budget and room.

        What the conversation has used is not among it: the model can call that as it is.
        """
        assistant, kept = self.situation.assistant, replace(self.situation, used=()).kept({})
        taken = sum(map(tokens, pair))
        basket = Basket(assistant.schema_token_budget - taken, self.situation.room - len(pair))
        for name in kept:
            basket.put(assistant.by_name[name])
        chosen = choice(assistant, basket, kept, Finding())
        return replace(chosen, told=replace(chosen.told, tokens=chosen.told.tokens + taken))

    async def look_up(self, text: str, limit: int) -> Choice:
        """What is found, best first; its definitions take no more than the budget either."""
        assistant = self.situation.assistant
        limit = max(1, min(limit, MOST_FOUND))
        found = await Finder(assistant, self.situation.server_ids).find(query.cut(text), limit=MOST_FOUND)
        basket = Basket(assistant.schema_token_budget, limit)
        basket.fill((hit.function for hit in found.hits), limit)
        return choice(assistant, basket, {}, found)
