"""Strands' Agent for one run: what its event loop reads, and nothing that is made or copied in vain."""

from collections.abc import AsyncGenerator, Sequence
from functools import cache
from typing import Any, NoReturn, cast

from strands import Agent
from strands.agent.conversation_manager import NullConversationManager
from strands.hooks import HookProvider, HookRegistry
from strands.interrupt import _InterruptState
from strands.middleware import InvokeModelContext, InvokeModelStage, ModelStopReason
from strands.middleware._registry import MiddlewareRegistry
from strands.models.model import Model
from strands.tools.executors import ConcurrentToolExecutor, SequentialToolExecutor
from strands.tools.executors._executor import ToolExecutor
from strands.types.content import Message, Messages
from strands.types.events import TypedEvent
from strands.types.tools import ToolUse

from assistants.agent.llm.spec import Spec
from assistants.agent.run_model import RunModel
from assistants.agent.telemetry import NoMetrics
from assistants.agent.tools import Toolbox, Uncopied

OWN = frozenset({"_interrupt_state", "hooks", "messages", "tool_registry"})
"""The attributes of Strands' Agent that differ from run to run, or change within one."""


class RunAgent(Agent):
    """An Agent whose model is a RunModel."""

    def __init__(
        self,
        model: RunModel,
        messages: Messages,
        system_prompt: str | None,
        tools: Toolbox,
        hooks: Sequence[HookProvider],
    ) -> None:
        # Deliberately without the base's, which looks for modules of tools on the disk and has two plugins
        # look for their own methods, for each agent.
        vars(self).update(_shared())
        self.run_model = model
        self.prompt = system_prompt
        self.messages = Uncopied(messages)
        self.tool_registry = tools
        self.hooks = HookRegistry()
        for hook in hooks:
            self.hooks.add_hook(hook)
        self._interrupt_state = _InterruptState()

    async def _append_messages(self, *messages: Message) -> None:
        # The base gives each an id of its own, and tells hooks that we do not have.
        self.messages.extend(messages)


async def _ask(context: InvokeModelContext, _: Any) -> AsyncGenerator[TypedEvent, None]:
    """One round, for Strands: the answer once it is whole. Raises UpstreamFailed.

    It stands for the call of a Strands Model, whose answer would be taken apart into events, passed through
    ten generators and put together again.
    """
    agent = cast(RunAgent, context.agent)
    turn = await agent.run_model.ask(agent.messages, cast(list[Spec], context.tool_specs), agent.prompt)
    reason: Any = "tool_use" if turn.calls else "end_turn"
    # The run counts for itself. Strands adds these up, and needs all of them.
    usage: Any = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    yield ModelStopReason(reason, turn.message(), usage, {"latencyMs": 0})


class _NoModel(Model):
    """Stands where Strands expects a model: `_ask` is called instead."""

    async def count_tokens(self, *_: Any, **__: Any) -> int:
        """Strands asks before each call, for conversation managers that are not used here."""
        return 0

    def get_config(self) -> dict[str, Any]:
        return {}

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("A RunModel is asked.")

    update_config = stream = structured_output = _refuse


class _TurnExecutor(ToolExecutor):
    """Runs the calls of a turn beside each other; one alone needs no task and no queue."""

    def __init__(self) -> None:
        self._one, self._several = SequentialToolExecutor(), ConcurrentToolExecutor()

    def _execute(
        self, agent: Agent, tool_uses: list[ToolUse], *rest: Any, **named: Any
    ) -> AsyncGenerator[TypedEvent, None]:
        executor: Any = self._one if len(tool_uses) == 1 else self._several
        events: AsyncGenerator[TypedEvent, None] = executor._execute(agent, tool_uses, *rest, **named)  # noqa: SLF001 - as the event loop calls it
        return events


@cache
def _shared() -> dict[str, Any]:
    """Returns the attributes of Strands' Agent that all runs share: none of them changes."""
    attributes = {name: value for name, value in vars(base()).items() if name not in OWN}
    # In place of what two plugins add, for models that keep the conversation and for agents that are tools.
    middleware = MiddlewareRegistry()
    middleware.add_middleware(InvokeModelStage, _ask)
    return {**attributes, "_middleware_registry": middleware, "event_loop_metrics": NoMetrics()}


def base() -> Agent:
    """Returns an agent as Strands makes it, with no more than runs need."""
    return Agent(
        model=_NoModel(),
        # The default prints each text to stdout.
        callback_handler=None,
        # The default drops the oldest messages of a long conversation; what to leave out is the caller's
        # choice.
        conversation_manager=NullConversationManager(),
        # The default repeats a failed call six times, with pauses of 4 to 240 s. `llm.http` retries in time.
        retry_strategy=None,
        tool_executor=_TurnExecutor(),
    )
