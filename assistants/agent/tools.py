"""A run's tools as Strands knows them: ours, which are called, and the caller's, which are handed back."""

import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

import orjson
from strands.tools.registry import ToolRegistry
from strands.types.events import ToolResultEvent
from strands.types.tools import AgentTool, ToolResult, ToolSpec, ToolUse

from assistants.agent import results
from assistants.catalogue import AssistantEntry, FunctionEntry
from assistants.events import ToolFinished, ToolStarted
from connector import calls
from connector.errors import CallFailed

log = logging.getLogger(__name__)

_REFUSED_AT_THE_TOP = {"anyOf", "oneOf", "allOf", "not", "enum"}


class Spec(dict[str, Any]):
    """What Strands asks of a tool, with `definition`, the OpenAI tool definition, already serialised.

    Strands copies every spec deeply for every call of the model; nobody changes these, so a copy is itself.
    """

    definition: orjson.Fragment

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        function = definition["function"]
        spec = cls(
            name=function["name"],
            description=function.get("description") or "",
            inputSchema={"json": function.get("parameters") or {}},
        )
        spec.definition = orjson.Fragment(orjson.dumps(definition))
        return spec


class _SpecifiedTool(AgentTool):
    def __init__(self, definition: Mapping[str, Any]) -> None:
        super().__init__()
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


class ClientTool(_SpecifiedTool):
    """A tool that the caller brought and runs: the turn is interrupted before it would be called."""

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        raise AssertionError(f"The caller's tool {tool_use['name']} must not run here.")
        yield


class ServerTool(_SpecifiedTool):
    """A function of an MCP server."""

    def __init__(self, function: FunctionEntry) -> None:
        super().__init__(_definition(function))
        self.server_id = function.server_id
        self._function = function

    async def stream(self, tool_use: ToolUse, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """ToolStarted, ToolFinished, and the result for the model. A failure is a result too."""
        function, call_id, given = self._function, tool_use["toolUseId"], tool_use["input"]
        if not isinstance(given, dict):
            yield ToolResultEvent(
                results.error(call_id, "The arguments are not a JSON object. Call it again.")
            )
            return
        yield ToolStarted(call_id, function.public_name, function.server_name, function.name, given)
        started = time.monotonic()
        result, error = await _call(function, call_id, given)
        duration_ms = round((time.monotonic() - started) * 1000)
        status: Any = "error" if error else "ok"
        yield ToolFinished(
            call_id, function.public_name, status, duration_ms, error, cast(Any, result["content"])
        )
        yield ToolResultEvent(result)


async def _call(
    function: FunctionEntry, call_id: str, arguments: dict[str, Any]
) -> tuple[ToolResult, str | None]:
    """The result, and the code of what failed."""
    try:
        result = await calls.call(function.server_id, function.name, arguments, timeout_s=function.timeout_s)
        return results.of_call(call_id, result), "tool_error" if result.is_error else None
    except CallFailed as failure:
        return results.error(call_id, failure.message), failure.code
    except Exception:  # a tool call is a boundary: the run goes on without it
        log.exception("Calling %s failed unexpectedly", function.public_name)
        return results.error(call_id, "The call failed."), "internal_error"


def _definition(function: FunctionEntry) -> dict[str, Any]:
    described = {
        "name": function.public_name,
        "description": function.description,
        "parameters": _object_schema(function.input_schema),
    }
    return {"type": "function", "function": described}


def _object_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What LLM services insist on, whatever a server says: a refused schema costs the whole request."""
    if schema.get("type", "object") != "object":
        return {"type": "object", "properties": {}}
    kept = {name: value for name, value in schema.items() if name not in _REFUSED_AT_THE_TOP}
    return {**kept, "type": "object", "properties": schema.get("properties") or {}}


_server_tools: WeakKeyDictionary[AssistantEntry, tuple[ServerTool, ...]] = WeakKeyDictionary()


def server_tools(assistant: AssistantEntry) -> tuple[ServerTool, ...]:
    """The tools of all its functions, made once for all runs: they keep no state."""
    tools = _server_tools.get(assistant)
    if tools is None:
        tools = _server_tools[assistant] = tuple(map(ServerTool, assistant.functions))
    return tools


class Toolbox(ToolRegistry):
    """A run's tools. Strands' own registry normalises and checks every spec for every call of the model."""

    def __init__(self, tools: Iterable[AgentTool]) -> None:
        super().__init__()
        self.registry = {tool.tool_name: tool for tool in tools}

    def get_all_tools_config(self) -> dict[str, Any]:
        return {name: tool.tool_spec for name, tool in self.registry.items()}
