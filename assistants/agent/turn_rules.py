"""What a run may do in one turn: the hook that Strands asks before it calls tools."""

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
    """A caller's tools interrupt the run once our own of the turn ran. Calls beyond the limit are refused."""

    def __init__(self) -> None:
        self.results: Message | None = None
        """Of the last turn, as far as it was not for the caller to run."""
        self._refused: set[str] = set()
        self._made: Counter[bytes] = Counter()

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeToolsEvent, self._before_turn)
        registry.add_callback(BeforeToolCallEvent, self._before_call)
        registry.add_callback(AfterToolsEvent, self._after_turn)

    def _before_turn(self, event: BeforeToolsEvent) -> None:
        ids = [block["toolUse"]["toolUseId"] for block in event.message["content"] if "toolUse" in block]
        self._refused = set(ids[MAX_CALLS_PER_TURN:])
        self._made.update(
            {_named(block["toolUse"]) for block in event.message["content"] if "toolUse" in block}
        )

    def _before_call(self, event: BeforeToolCallEvent) -> None:
        if isinstance(event.selected_tool, ClientTool):
            event.interrupt("client_tool")
        elif event.tool_use["toolUseId"] in self._refused:
            event.cancel_tool = f"Refused: at most {MAX_CALLS_PER_TURN} tools are called in one turn."
        elif self._made[_named(event.tool_use)] > MAX_REPEATS:
            event.cancel_tool = "Refused: it was called like this before, again and again. Use what it said."

    def _after_turn(self, event: AfterToolsEvent) -> None:
        self.results = event.message


def _named(tool_use: ToolUse) -> bytes:
    """The call itself: two with the same name and arguments are one."""
    return orjson.dumps([tool_use["name"], tool_use["input"]], option=orjson.OPT_SORT_KEYS)
