"""The token budget of a selection: which tools fit into it, and how fully each of them is defined. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from assistants.catalogue.definitions import Definition
from assistants.catalogue.entries import FunctionEntry


@dataclass(frozen=True, slots=True)
class SelectedTool:
    """A function with the definition that the model is given of it: the whole one or the lean one."""

    function: FunctionEntry
    is_lean: bool = False

    @property
    def definition(self) -> Definition:
        return self.function.lean[0] if self.is_lean else self.function.definition

    @property
    def tokens(self) -> int:
        return self.function.lean[1] if self.is_lean else self.function.tokens


@dataclass(slots=True)
class TokenBudget:
    """Admits at most `max_tools` tools, whose definitions take at most `tokens` tokens in all.

    A tool is admitted if its lean definition fits. What is left of the budget in the end makes definitions
    whole, in the order in which the tools were added, so that one large schema crowds out no other tool.
    """

    tokens: int
    max_tools: int
    _lean: dict[str, SelectedTool] = field(default_factory=dict)
    _taken: int = 0

    def __contains__(self, public_name: str) -> bool:
        return public_name in self._lean

    def add(self, function: FunctionEntry) -> bool:
        """Returns whether the function is admitted, now or by an earlier call."""
        if function.public_name in self:
            return True
        if len(self._lean) >= self.max_tools:
            return False
        tool = SelectedTool(function, is_lean=True)
        if tool.tokens > self.tokens - self._taken:
            return False
        self._lean[function.public_name] = tool
        self._taken += tool.tokens
        return True

    def fill(self, functions: Iterable[FunctionEntry], limit: int) -> None:
        """Adds the first `limit` functions that fit and were not there; one that does not fit is skipped."""
        for function in functions:
            if limit <= 0:
                return
            if function.public_name not in self and self.add(function):
                limit -= 1

    def selected(self) -> list[SelectedTool]:
        """Returns the admitted tools in the order in which they were added."""
        left, tools = self.tokens - self._taken, []
        for lean in self._lean.values():
            more = lean.function.tokens - lean.tokens
            # A tool that stays lean does not end this: a smaller one behind it may still become whole.
            is_whole = more <= left
            left -= more if is_whole else 0
            tools.append(SelectedTool(lean.function) if is_whole else lean)
        return tools
