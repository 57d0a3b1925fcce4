"""The rules of one turn, in hooks that Strands calls before and after tools."""

from collections import Counter
from typing import Any

import orjson
from strands.hooks import (
    AfterToolsEvent,
    BeforeToolCallEvent,
    BeforeToolsEvent,
    HookProvider,
    HookRegistry,
)
from strands.types.content import Message
from strands.types.tools import ToolUse

from assistants.agent.tools import ClientTool

MAX_CALLS_PER_TURN = 16
MAX_REPEATS = 5
"""How many turns of a run may make one call with the same arguments."""


class TurnRules(HookProvider):
    """Interrupts a turn for the caller's tools, after our own have run, and refuses calls beyond limits."""

    def __init__(self) -> None:
        self.results: Message | None = None
        """The results of the last turn's calls of our own tools."""
        self._refused: set[str] = set()
        self._repeats: Counter[bytes] = Counter()

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeToolsEvent, self._before_turn)
        registry.add_callback(BeforeToolCallEvent, self._before_call)
        registry.add_callback(AfterToolsEvent, self._after_turn)

    def _before_turn(self, event: BeforeToolsEvent) -> None:
        tool_uses = [block["toolUse"] for block in event.message["content"] if "toolUse" in block]
        self._refused = {tool_use["toolUseId"] for tool_use in tool_uses[MAX_CALLS_PER_TURN:]}
        # A set: a turn that makes the same call twice, beside each other, counts once.
        self._repeats.update({_signature(tool_use) for tool_use in tool_uses})

    def _before_call(self, event: BeforeToolCallEvent) -> None:
        if isinstance(event.selected_tool, ClientTool):
            # Strands runs the turn's other tools all the same, and ends the loop after them.
            event.interrupt("client_tool")
        elif event.tool_use["toolUseId"] in self._refused:
            event.cancel_tool = f"Refused: at most {MAX_CALLS_PER_TURN} tools are called in one turn."
        elif self._repeats[_signature(event.tool_use)] > MAX_REPEATS:
            event.cancel_tool = "Refused: it was called like this before, again and again. Use what it said."

    def _after_turn(self, event: AfterToolsEvent) -> None:
        self.results = event.message


def _signature(tool_use: ToolUse) -> bytes:
    """Identifies a call by its name and arguments."""
    return orjson.dumps([tool_use["name"], tool_use["input"]], option=orjson.OPT_SORT_KEYS)
