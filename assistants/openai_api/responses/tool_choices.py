"""A request's `tool_choice`, in the names that the model knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from assistants.catalogue.entries import AssistantEntry
from assistants.openai_api.responses.request import (
    AllowedTool,
    AllowedToolsChoice,
    CustomChoice,
    FunctionChoice,
    ServerToolChoice,
)
from assistants.openai_api.responses.tools import OfferedTools, OtherTool
from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Choice:
    """`tool_choice` as Chat Completions have it. `allowed`: the only tools that are offered; None: all."""

    tool_choice: str | dict[str, Any] | None
    allowed: frozenset[str] | None = None


def public_names(assistant: AssistantEntry) -> dict[tuple[str, str], str]:
    """Returns the model's names of the assistant's tools, by server and own name."""
    return {(function.server_slug, function.name): function.public_name for function in assistant.functions}


def resolved(
    given: Literal["none", "auto", "required"]
    | FunctionChoice
    | CustomChoice
    | ServerToolChoice
    | AllowedToolsChoice
    | None,
    assistant: AssistantEntry,
    offered: OfferedTools,
) -> Choice:
    """Raises InvalidRequest for a tool that neither the caller nor the assistant has."""
    match given:
        case FunctionChoice(name=name) | CustomChoice(name=name):
            return _forced(_named(name, None, assistant, offered))
        case ServerToolChoice(server_label=label, name=name):
            return _forced(public_names(assistant).get((label, name)))
        case AllowedToolsChoice():
            return Choice(given.mode, frozenset(_allowed(given, assistant, offered)))
        case mode:
            return Choice(mode)


def _forced(name: str | None) -> Choice:
    if name is None:
        raise _unknown("tool_choice.name")
    return Choice({"type": "function", "function": {"name": name}})


def _allowed(choice: AllowedToolsChoice, assistant: AssistantEntry, offered: OfferedTools) -> Iterator[str]:
    for index, tool in enumerate(choice.tools):
        names = [*_meant(tool, assistant, offered)]
        if not names and not OtherTool(type=tool.type).is_ignored:
            raise _unknown(f"tool_choice.tools[{index}]")
        yield from names


def _meant(tool: AllowedTool, assistant: AssistantEntry, offered: OfferedTools) -> Iterator[str]:
    """Yields the model's names of the tools that an entry stands for."""
    if tool.type == "mcp":
        for (label, own_name), name in public_names(assistant).items():
            if label == tool.server_label and tool.name in (None, own_name):
                yield name
    elif tool.type == "namespace":
        yield from offered.in_namespace(tool.name or "")
    elif (own := _named(tool.name or tool.type, tool.namespace, assistant, offered)) is not None:
        yield own


def _named(name: str, namespace: str | None, assistant: AssistantEntry, offered: OfferedTools) -> str | None:
    if (own := offered.names.get((name, namespace))) is not None:
        return own
    return name if name in offered.by_name or name in assistant.by_name else None


def _unknown(param: str) -> InvalidRequest:
    message = "The tool of 'tool_choice' is neither among 'tools' nor one of the assistant's."
    return InvalidRequest(message, param=param, code="invalid_value")
