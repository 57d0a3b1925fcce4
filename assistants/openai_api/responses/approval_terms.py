"""What a request demands of approvals for our servers' tools: `require_approval` of its tools of type mcp.

It can only add to the rules, where OpenAI's API knows no others. Left out, it adds nothing, while OpenAI's
default is to ask always.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from assistants.models import Effect
from assistants.openai_api.messages import Schema
from core.errors import InvalidRequest

Names = Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=1_000)]


class _Exact(Schema):
    """A field that is misspelled must not mean that nobody is asked."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ToolFilter(_Exact):
    """Tools by their names, or those that only read."""

    tool_names: Names | None = None
    read_only: bool | None = None


class ApprovalFilter(_Exact):
    always: ToolFilter | None = None
    never: ToolFilter | None = None


def _shape(value: Any) -> str:
    return "word" if isinstance(value, str) else "filter"


class ServerTerms(Schema):
    """A tool of type mcp: a server of the assistant's, by its slug, and when its calls are asked about."""

    type: Literal["mcp"]
    server_label: Annotated[str, Field(min_length=1, max_length=255)]
    require_approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag("word")] | Annotated[ApprovalFilter, Tag("filter")],
            Discriminator(_shape),
        ]
        | None
    ) = None
    # Known, and refused unless they ask for nothing:
    server_url: Any = None
    connector_id: Any = None
    tunnel_id: Any = None
    allowed_tools: Any = None


_UNSUPPORTED = {
    "server_url": "The servers are the assistant's own: name one by 'server_label', without an address.",
    "connector_id": "There are no connectors here: name one of the assistant's servers by 'server_label'.",
    "tunnel_id": "There are no tunnels here: name one of the assistant's servers by 'server_label'.",
    "allowed_tools": "Choose among the tools by 'tool_choice' of the type allowed_tools.",
}


def check(terms: ServerTerms, place: str) -> None:
    """Raises InvalidRequest for what is not supported."""
    for name, message in _UNSUPPORTED.items():
        if getattr(terms, name) is not None:
            raise InvalidRequest(message, param=f"{place}.{name}", code="unsupported_parameter")


def requirement(
    tools: Sequence[Any], assistant: AssistantEntry
) -> Callable[[FunctionEntry], Effect | None] | None:
    """Returns what the request's tools demand of a function; None where they demand nothing.

    Raises InvalidRequest for a server or a tool that the assistant does not have.
    """
    demanding = list(_demanding(tools, assistant))
    if not demanding:
        return None

    def required(function: FunctionEntry) -> Effect | None:
        return Effect.ASK if any(_asks(terms, function) for terms in demanding) else None

    return required


def _demanding(tools: Sequence[Any], assistant: AssistantEntry) -> Iterator[ServerTerms]:
    labels = {server.slug for server in assistant.servers}
    for index, tool in enumerate(tools):
        if not isinstance(tool, ServerTerms):
            continue
        if tool.server_label not in labels:
            message = "The assistant has no server with this label."
            raise InvalidRequest(message, param=f"tools[{index}].server_label", code="invalid_value")
        _check_names(tool, assistant, f"tools[{index}].require_approval.always.tool_names")
        if tool.require_approval not in (None, "never"):
            yield tool


def _check_names(terms: ServerTerms, assistant: AssistantEntry, param: str) -> None:
    """A name that is misspelled must not mean that nobody is asked."""
    asked = terms.require_approval
    if not isinstance(asked, ApprovalFilter) or asked.always is None:
        return
    known = {each.name for each in assistant.functions if each.server_slug == terms.server_label}
    if unknown := sorted(set(asked.always.tool_names or ()) - known):
        message = f"The server has no tool {unknown[0]!r} that this assistant offers."
        raise InvalidRequest(message, param=param, code="invalid_value")


def _asks(terms: ServerTerms, function: FunctionEntry) -> bool:
    if terms.server_label != function.server_slug:
        return False
    asked = terms.require_approval
    if not isinstance(asked, ApprovalFilter):
        return asked == "always"
    if asked.always and _is_meant(asked.always, function, is_enough=any):
        return True
    return asked.never is not None and not _is_meant(asked.never, function, is_enough=all)


def _is_meant(
    which: ToolFilter, function: FunctionEntry, *, is_enough: Callable[[Iterator[bool]], bool]
) -> bool:
    """Of two conditions, one is enough to be asked about, and both are needed not to be."""
    conditions = []
    if which.tool_names is not None:
        conditions.append(function.name in which.tool_names)
    if which.read_only is not None:
        conditions.append(_only_reads(function, is_loosened=is_enough is all) == which.read_only)
    return bool(conditions) and is_enough(iter(conditions))


def _only_reads(function: FunctionEntry, *, is_loosened: bool) -> bool:
    """A server's own claim is believed where staff approved it; else it can only have more asked about."""
    claims = function.annotations.get("readOnlyHint") is True
    return claims and (function.is_trusted or not is_loosened)
