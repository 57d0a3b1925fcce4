"""What a run may do in one turn: the hook that Strands asks before it calls tools."""

from typing import Any

from strands.hooks import BeforeToolCallEvent, BeforeToolsEvent, HookProvider, HookRegistry

from assistants.agent.tools import ClientTool

MAX_CALLS_PER_TURN = 16


class TurnRules(HookProvider):
    """A caller's tools interrupt the run once our own of the turn ran. Calls beyond the limit are refused."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeToolsEvent, self._before_turn)
        registry.add_callback(BeforeToolCallEvent, self._before_call)

    def _before_turn(self, event: BeforeToolsEvent) -> None:
        ids = [block["toolUse"]["toolUseId"] for block in event.message["content"] if "toolUse" in block]
        self._refused = set(ids[MAX_CALLS_PER_TURN:])

    def _before_call(self, event: BeforeToolCallEvent) -> None:
        if isinstance(event.selected_tool, ClientTool):
            event.interrupt("client_tool")
        elif event.tool_use["toolUseId"] in self._refused:
            event.cancel_tool = f"Refused: at most {MAX_CALLS_PER_TURN} tools are called in one turn."
