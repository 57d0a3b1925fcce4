"""The tools that a request to the Responses API brings, and the names that the model knows them by."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any, Literal

import orjson
from pydantic import Discriminator, Field, Tag, TypeAdapter

from assistants.openai_api.messages import ByType, Schema
from assistants.openai_api.responses import approval_terms
from assistants.openai_api.responses.approval_terms import ServerTerms
from assistants.openai_api.validation import MOST_TOOLS, FunctionName, tool_schema_problem
from core.errors import InvalidRequest

Kind = Literal["function", "custom", "local_shell"]

_IGNORED = ("web_search", "image_generation", "tool_search")
"""Tools that only OpenAI's servers have, and that clients such as Codex bring whether they need them or not.
Their dated names (`web_search_preview_2025_03_11`) begin with these.
"""
LOCAL_SHELL = "local_shell"
_LONGEST_NAME = 64
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


class FunctionTool(Schema):
    type: Literal["function"]
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Grammar(Schema):
    type: Literal["text", "grammar"]
    syntax: str | None = None
    definition: str | None = None


class CustomTool(Schema):
    """A tool that takes a text. The model is offered it as a function with one argument, `input`."""

    type: Literal["custom"]
    name: FunctionName
    description: str | None = None
    format: Grammar | None = None


class NamespaceTool(Schema):
    """A group of tools, each of which the model is offered by itself."""

    type: Literal["namespace"]
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str | None = None
    tools: list[Annotated[FunctionTool | CustomTool, ByType]]


class LocalShellTool(Schema):
    """The caller's shell. The model is offered it as a function that takes a command."""

    type: Literal["local_shell"]


class OtherTool(Schema):
    type: str

    @property
    def is_ignored(self) -> bool:
        return self.type.startswith(_IGNORED)


def _tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if kind in ("function", "custom", "namespace", "local_shell", "mcp") else "other"


Tool = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[CustomTool, Tag("custom")]
    | Annotated[NamespaceTool, Tag("namespace")]
    | Annotated[LocalShellTool, Tag("local_shell")]
    | Annotated[ServerTerms, Tag("mcp")]
    | Annotated[OtherTool, Tag("other")],
    Discriminator(_tag),
]
_Single = FunctionTool | CustomTool | LocalShellTool


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool of the caller's. `definition`: as Chat Completions have it, with the model's name for it."""

    kind: Kind
    name: str
    namespace: str | None
    definition: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfferedTools:
    """The caller's tools by the names that the model knows, and these names by those of the caller.

    The caller's are pairs, of a tool's name and its namespace: another namespace may have the name as well.
    """

    by_name: dict[str, OfferedTool] = field(default_factory=dict)
    names: dict[tuple[str, str | None], str] = field(default_factory=dict)

    @property
    def definitions(self) -> list[Mapping[str, Any]]:
        return [tool.definition for tool in self.by_name.values()]

    def add(self, name: str, tool: OfferedTool) -> None:
        self.by_name[name] = tool
        self.names[tool.name, tool.namespace] = name

    def in_namespace(self, namespace: str) -> list[str]:
        return [name for name, tool in self.by_name.items() if tool.namespace == namespace]


_stored: TypeAdapter[list[Tool]] = TypeAdapter(list[Tool])


def from_stored(tools: Any) -> list[Tool]:
    """Returns the tools of a stored item."""
    return _stored.validate_python(tools)


def check(tools: Sequence[Tool], path: str = "tools") -> None:
    """Raises InvalidRequest, whose `param` names the tool that cannot be offered."""
    for index, tool in enumerate(tools):
        place = f"{path}[{index}]"
        if isinstance(tool, OtherTool) and not tool.is_ignored:
            message = (
                f"Tools of type '{tool.type[:64]}' are not supported: bring tools of type 'function' or"
                " 'custom'. The assistant's own are there without being named."
            )
            raise InvalidRequest(message, param=f"{place}.type", code="unsupported_parameter")
        if isinstance(tool, ServerTerms):
            approval_terms.check(tool, place)
        for where, each, _ in _singles([(place, tool)]):
            parameters = each.parameters if isinstance(each, FunctionTool) else None
            if problem := tool_schema_problem(parameters):
                raise InvalidRequest(problem, param=f"{where}.parameters", code="invalid_value")


def offered(
    brought: Sequence[tuple[str, Tool]], added: Sequence[tuple[str, Tool]], taken: Collection[str]
) -> OfferedTools:
    """Returns all tools under names of their own. Each comes with its path in the request.

    `brought`: those of the request itself. `added`: those of its items, which may say again what is there.
    `taken`: names of the assistant's own tools. Raises InvalidRequest for a name that two tools have.
    """
    singles = [*_singles(brought)]
    reserved = {*taken, *(tool_name(tool) for _, tool, namespace in singles if namespace is None)}
    tools = OfferedTools()
    more = (each for each in _singles(added) if (tool_name(each[1]), each[2]) not in tools.names)
    for place, tool, namespace in chain(singles, more):
        name = tool_name(tool)
        if namespace is not None and (name in reserved or name in tools.by_name):
            name = _NOT_IN_A_NAME.sub("_", f"{namespace}__{name}"[-_LONGEST_NAME:])
        if name in taken or name in tools.by_name:
            message = f"There is already a tool with the name '{name}': choose another."
            raise InvalidRequest(message, param=f"{place}.name", code="tool_name_conflict")
        if len(tools.by_name) == MOST_TOOLS:
            raise InvalidRequest(f"At most {MOST_TOOLS} tools.", param="tools", code="invalid_value")
        definition = {"type": "function", "function": _function(tool, name)}
        tools.add(name, OfferedTool(tool.type, tool_name(tool), namespace, definition))
    return tools


def tool_name(tool: _Single) -> str:
    return LOCAL_SHELL if isinstance(tool, LocalShellTool) else tool.name


def _singles(tools: Iterable[tuple[str, Tool]]) -> Iterator[tuple[str, _Single, str | None]]:
    """Yields the tools that the model can be offered, out of their namespaces: path, tool, namespace."""
    for place, tool in tools:
        if isinstance(tool, NamespaceTool):
            for index, inner in enumerate(tool.tools):
                yield f"{place}.tools[{index}]", inner, tool.name
        elif not isinstance(tool, OtherTool | ServerTerms):
            yield place, tool, None


def _function(tool: _Single, name: str) -> dict[str, Any]:
    match tool:
        case FunctionTool():
            return {**tool.model_dump(exclude={"type"}, exclude_none=True), "name": name}
        case CustomTool():
            return {"name": name, "description": _description(tool), "parameters": _CUSTOM}
        case LocalShellTool():
            return {"name": name, "description": "Runs a command in the user's shell.", "parameters": _SHELL}


def _description(tool: CustomTool) -> str:
    grammar = tool.format
    if grammar is None or not grammar.definition:
        return tool.description or ""
    # No service of ours constrains a function's argument by a grammar: the model has to keep to it.
    rule = f"`input` must match this grammar ({grammar.syntax or 'lark'}):\n{grammar.definition}"
    return f"{tool.description}\n\n{rule}" if tool.description else rule


def custom_input(arguments: str) -> str:
    """Returns the text for a custom tool from its function's arguments, or all of these if they have none."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments


def shell_action(arguments: str) -> dict[str, Any]:
    """Returns the action of a local_shell_call, all of its fields, from its function's arguments."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        given = arguments
    fields = given if isinstance(given, dict) else {"command": arguments}
    command = fields.get("command")
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    return {
        "type": "exec",
        "command": [str(each) for each in command] if isinstance(command, list) else [],
        "env": fields["env"] if isinstance(fields.get("env"), dict) else {},
        **{name: fields.get(name) for name in ("timeout_ms", "user", "working_directory")},
    }


_CUSTOM: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "What the tool is given: a text."}},
    "required": ["input"],
    "additionalProperties": False,
}
_SHELL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "Program and arguments."},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "user": {"type": "string"},
    },
    "required": ["command"],
    "additionalProperties": False,
}
