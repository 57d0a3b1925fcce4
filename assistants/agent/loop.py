"""The rounds of a run whose model is offered tools: Strands' event loop."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, cast

from strands.event_loop.event_loop import event_loop_cycle
from strands.hooks import HookProvider
from strands.types.content import Messages

from assistants.agent import run_gate
from assistants.agent.run_agent import RunAgent
from assistants.agent.run_gate import RunGate
from assistants.agent.run_model import RunModel
from assistants.agent.tools import Toolbox
from assistants.events import RunEvent, ToolStarted


class Loop:
    """See Rounds."""

    def __init__(
        self,
        model: RunModel,
        messages: Messages,
        system_prompt: str | None,
        *,
        tools: Toolbox,
        hooks: Sequence[HookProvider],
        gate: RunGate,
        emit: Callable[[RunEvent], None],
    ) -> None:
        self._agent = RunAgent(model, messages, system_prompt, tools, hooks)
        self._model = model
        self._gate = gate
        self._emit = emit

    @property
    def messages(self) -> Messages:
        return self._agent.messages

    async def run(self) -> None:
        # The loop itself: around it, `Agent.stream_async` has what serves other agents, such as continuing
        # after an interrupt, and passes each event through five generators more.
        events = event_loop_cycle(self._agent, {run_gate.KEY: self._gate})
        async with aclosing(cast(AsyncGenerator[dict[str, Any], None], events)) as stream:
            async for event in stream:
                if "tool_stream_event" in event:  # what a tool's `stream` yields, but its result
                    data = event["tool_stream_event"]["data"]
                    if isinstance(data, ToolStarted):
                        self._emit(self._model.usage)
                    self._emit(data)
