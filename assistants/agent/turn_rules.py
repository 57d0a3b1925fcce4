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
from strands.types.content import Message, Messages
from strands.types.tools import ToolUse

from assistants.agent.run_gate import RunGate
from assistants.agent.tool_search import CallTool
from assistants.agent.tools import ClientTool, ServerTool

MAX_CALLS_PER_TURN = 16
ENDED = "(A call waits for approval.)"
"""What Strands has for the model's last turn where a call waits. Nobody sees it."""
MAX_REPEATS = 5
"""How many turns of a run may make one call with the same arguments."""


class TurnRules(HookProvider):
    """Interrupts a turn for the caller's tools, after our own have run, and refuses calls beyond limits.

    After a turn in which a call waits for approval, the run ends.

    `max_calls`: how many calls of our tools the caller allows, in all turns together.
    """

    def __init__(self, gate: RunGate, max_calls: int | None = None) -> None:
        self.results: Message | None = None
        """The results of the last turn's calls of our own tools."""
        self._gate = gate
        self._refused: set[str] = set()
        self._calls_left = max_calls
        self._repeats: Counter[bytes] = Counter()

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeToolsEvent, self._before_turn)
        registry.add_callback(BeforeToolCallEvent, self._before_call)
        registry.add_callback(AfterToolsEvent, self._after_turn)

    def whole(self, new: Messages) -> Messages:
        """Returns a run's messages with the results of its last turn.

        A turn that the caller's tools interrupted leaves them here: Strands never adds them.
        """
        return [*new, self.results] if self.results and self.results["content"] else new

    def _before_turn(self, event: BeforeToolsEvent) -> None:
        tool_uses = [block["toolUse"] for block in event.message["content"] if "toolUse" in block]
        self._gate.begin_turn({tool_use["name"] for tool_use in tool_uses})
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
        elif self._calls_left is not None and isinstance(event.selected_tool, ServerTool | CallTool):
            self._count_call(event)

    def _count_call(self, event: BeforeToolCallEvent) -> None:
        if not self._calls_left:
            event.cancel_tool = (
                "Refused: no more calls are allowed for this request. Answer with what is there."
            )
        else:
            self._calls_left -= 1

    def _after_turn(self, event: AfterToolsEvent) -> None:
        self.results = event.message
        if self._gate.is_waiting:
            event.end_turn = ENDED


def _signature(tool_use: ToolUse) -> bytes:
    """Identifies a call by its name and arguments."""
    return orjson.dumps([tool_use["name"], tool_use["input"]], option=orjson.OPT_SORT_KEYS)
