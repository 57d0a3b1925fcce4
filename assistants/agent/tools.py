"""A run's tools as Strands sees them: those of MCP servers, and the caller's own, which are handed back."""

import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from strands.tools.registry import ToolRegistry
from strands.types.events import ToolResultEvent
from strands.types.tools import AgentTool, ToolResult, ToolSpec, ToolUse

from assistants.agent import run_gate, tool_results
from assistants.agent.llm.spec import Spec
from assistants.agent.run_gate import RunGate
from assistants.approvals import Admitted, Asking, Refused, codes
from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from assistants.events import ToolFinished, ToolStarted
from connector.client import calls, outcomes
from connector.errors import CallFailed
from core import metrics, tracing
from tools.arguments import InvalidArguments, checked

log = logging.getLogger(__name__)


class SpecifiedTool(AgentTool):
    """A tool with an OpenAI tool definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        super().__init__()
        self.definition = definition
        self._spec = Spec.of(definition)

    @property
    def tool_name(self) -> str:
        return str(self._spec["name"])

    @property
    def tool_spec(self) -> ToolSpec:
        return self._spec  # type: ignore[return-value]

    @property
    def tool_type(self) -> str:
        return "function"


class ClientTool(SpecifiedTool):
    """A tool that the caller brought and runs itself: TurnRules interrupts the turn before its call."""

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        raise AssertionError(f"The caller's tool {tool_use['name']} must not run here.")
        yield  # makes this a generator, as Strands expects


class ServerTool(SpecifiedTool):
    """A tool of an MCP server. `definition` replaces its own, for instance by a shortened one."""

    def __init__(self, function: FunctionEntry, definition: Mapping[str, Any] | None = None) -> None:
        super().__init__(definition or function.definition)
        self._spec = Spec.of_server(self.definition)
        self.server_id = function.server_id
        self._function = function

    async def stream(
        self, tool_use: ToolUse, invocation_state: Mapping[str, Any], **_: Any
    ) -> AsyncGenerator[Any, None]:
        """Yields ToolStarted, ToolFinished, and the result for the model. A failure is a result too."""
        function, call_id, given = self._function, tool_use["toolUseId"], tool_use["input"]
        gate: RunGate = invocation_state[run_gate.KEY]
        if not isinstance(given, dict):
            yield ToolResultEvent(
                tool_results.error(call_id, "The arguments are not a JSON object. Call it again.")
            )
            return
        arguments, problem = await _arguments(function, given)
        admitted = Admitted(arguments) if problem else await gate.admit(function, arguments)
        if isinstance(admitted, Asking) and gate.shows_caller(admitted):
            async for event in _shown_to_caller(gate, function, call_id, admitted):
                yield event
            return
        shown = arguments if isinstance(admitted, Refused) else admitted.arguments
        yield ToolStarted(call_id, function.public_name, function.server_name, function.name, shown)
        started = time.monotonic()
        with tracing.tool(function.public_name, call_id) as span:
            result, error = await _outcome(gate, function, call_id, problem or admitted)
            if error:
                span.fail(error)
        if error == codes.PENDING and gate.keeps_open:
            yield ToolResultEvent(result)
            return
        seconds = time.monotonic() - started
        duration_ms = round(seconds * 1000)
        metrics.tool_called(function.server_slug, error, seconds)
        status: Any = "error" if error else "ok"
        yield ToolFinished(
            call_id, function.public_name, status, duration_ms, error, cast(Any, result["content"])
        )
        yield ToolResultEvent(result)


async def _shown_to_caller(
    gate: RunGate, function: FunctionEntry, call_id: str, asking: Asking
) -> AsyncGenerator[Any, None]:
    """Asks the caller. The call itself is shown only where it has been decided about already."""
    result, error = await gate.asked(function, call_id, asking)
    if error != codes.PENDING:
        names = (function.public_name, function.server_name, function.name)
        yield ToolStarted(call_id, *names, asking.arguments)
        content = cast(Any, result["content"])
        yield ToolFinished(call_id, function.public_name, "error" if error else "ok", 0, error, content)
    yield ToolResultEvent(result)


async def _arguments(function: FunctionEntry, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Returns the arguments for the server, and what is wrong with them by the names that the model knows."""
    restore = function.offered.restored
    arguments = restore(given)
    try:
        return await checked(function.input_schema, arguments, restore), ""
    except InvalidArguments as invalid:
        names = function.offered.accepted
        problems = "\n".join(f"- {each.where(names)}: {each.message}" for each in invalid.problems)
        text = f"Not called, because its arguments are wrong:\n{problems}\nCorrect them, and call it again."
        return arguments, text


async def _outcome(
    gate: RunGate, function: FunctionEntry, call_id: str, admitted: Admitted | Asking | Refused | str
) -> tuple[ToolResult, str | None]:
    """Returns the result for the model, and the code of the failure, if it failed.

    `admitted` is a text where the arguments are wrong.
    """
    match admitted:
        case str():
            return tool_results.error(call_id, admitted), outcomes.INVALID_ARGUMENTS
        case Admitted():
            return await _call(gate, function, call_id, admitted.arguments)
        case Asking():
            return await gate.asked(function, call_id, admitted)
        case Refused():
            return tool_results.error(call_id, admitted.reason), admitted.code


async def _call(
    gate: RunGate, function: FunctionEntry, call_id: str, arguments: dict[str, Any]
) -> tuple[ToolResult, str | None]:
    """Returns the result for the model, and the code of the failure, if it failed."""
    try:
        result = await calls.call(function.server_id, function.name, arguments, timeout_s=function.timeout_s)
        result = await gate.released(function, result)
        return tool_results.of_call(call_id, result), outcomes.TOOL_ERROR if result.is_error else None
    except CallFailed as failure:
        return tool_results.error(call_id, failure.message), failure.code
    except Exception:  # a tool call is a boundary: the run goes on without it
        log.exception("Calling %s failed unexpectedly", function.public_name)
        return tool_results.error(call_id, "The call failed."), outcomes.INTERNAL_ERROR


_server_tools: WeakKeyDictionary[AssistantEntry, dict[tuple[str, bool], ServerTool]] = WeakKeyDictionary()
"""By public name, and whether the definition is the lean one. They hold no state, so all runs share them."""


def server_tool(assistant: AssistantEntry, function: FunctionEntry, *, is_lean: bool = False) -> ServerTool:
    """Returns the tool of one of the assistant's functions, with its whole definition or the lean one."""
    tools, key = _server_tools.setdefault(assistant, {}), (function.public_name, is_lean)
    tool = tools.get(key)
    if tool is None:
        tool = tools[key] = ServerTool(function, function.lean[0] if is_lean else None)
    return tool


def server_tools(assistant: AssistantEntry) -> tuple[ServerTool, ...]:
    """Returns the tools of all the assistant's functions."""
    return tuple(server_tool(assistant, function) for function in assistant.functions)


class _Registry(dict[str, AgentTool]):
    """A registry that has the tools of an assistant's functions, too, when the model calls them."""

    def __init__(self, unlisted: AssistantEntry | None, tools: Mapping[str, AgentTool]) -> None:
        super().__init__(tools)
        self._unlisted = unlisted

    def get(self, name: str, default: Any = None) -> Any:
        assistant = self._unlisted
        if assistant is None or name in self or name not in assistant.by_name:
            return super().get(name, default)
        return server_tool(assistant, assistant.by_name[name])


class Uncopied(list[Any]):
    """A list of which a deep copy is itself.

    Strands copies the conversation and all specs for each call of the model, lest middleware changes them.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class Toolbox(ToolRegistry):
    """The tools of runs. `unlisted`: whose functions the model may call without their definitions.

    Strands' own registry normalizes and validates every spec for every call of the model. Ours are valid, so
    `get_all_tool_specs` returns them as they are.
    """

    def __init__(self, tools: Iterable[AgentTool], *, unlisted: AssistantEntry | None = None) -> None:
        super().__init__()
        # Directly into the dict: register_tool refuses "a_b" beside "a-b", which MCP servers may both have.
        self.registry = _Registry(unlisted, {tool.tool_name: tool for tool in tools})
        self._specs = Uncopied(tool.tool_spec for tool in self.registry.values())

    def get_all_tool_specs(self) -> list[ToolSpec]:
        return self._specs
