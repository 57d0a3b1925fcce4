"""The servers that an assistant uses: the rules for them, and the rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from assistants.models import Assistant
from assistants.validation import MOST_PINNED, MOST_SERVERS, names_problem
from tools.models import MCPTool


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A server that an assistant uses, with these functions (None: all). Pinned ones are always selected."""

    server: MCPTool
    functions: list[str] | None = None
    pinned: Sequence[str] = ()


Tools = Iterable[MCPTool | ToolUse]
"""A server by itself means the functions that were chosen of it before, or all of a new one."""


class ToolUseRefused(ValidationError):
    """What is wrong with one of the servers. `field`: `mcp_tool`, `functions` or `pinned` of its row."""

    def __init__(self, message: str, server: MCPTool, field: str) -> None:
        super().__init__(message)
        self.server_id = server.pk
        self.field = field


def replace(assistant: Assistant, tools: list[MCPTool | ToolUse]) -> None:
    """Makes these the servers that the assistant uses. Raises ValidationError, its errors for `tools`."""
    _require_fit(tools)
    assistant.tools.set(_server(tool) for tool in tools)
    for tool in tools:
        if isinstance(tool, ToolUse):
            links = assistant.assistant_tools.filter(mcp_tool=tool.server)
            links.update(functions=tool.functions, pinned=list(tool.pinned))


def _server(tool: MCPTool | ToolUse) -> MCPTool:
    return tool.server if isinstance(tool, ToolUse) else tool


def _require_fit(tools: Sequence[MCPTool | ToolUse]) -> None:
    errors: list[ValidationError] = []
    if len(tools) > MOST_SERVERS:
        errors.append(ValidationError(gettext("At most %d servers.") % MOST_SERVERS))
    seen: set[int] = set()
    for tool in tools:
        server = _server(tool)
        if server.deleted_at is not None:
            errors.append(ToolUseRefused(gettext("There is no %s.") % server.pk, server, "mcp_tool"))
        if server.pk in seen:
            errors.append(ToolUseRefused(gettext("Name each server once."), server, "mcp_tool"))
        seen.add(server.pk)
        if isinstance(tool, ToolUse):
            errors += _problems(tool)
    if errors:
        raise ValidationError({"tools": errors})


def _problems(use: ToolUse) -> Iterator[ToolUseRefused]:
    chosen: dict[str, Any] = {"functions": use.functions, "pinned": use.pinned}
    for field, problem in (
        ("functions", None if use.functions is None else names_problem(use.functions)),
        ("pinned", names_problem(use.pinned, most=MOST_PINNED, may_be_empty=True)),
    ):
        if problem:
            yield ToolUseRefused(f"{field}: {problem}", use.server, field)
            chosen[field] = None
    listed = use.server.functions.exclude(definition_hash="")
    known = set(listed.values_list("name", flat=True))
    for field, names in chosen.items():
        unknown = set(names or ()) - known
        # Of a server that has never run no function is known: then any name is accepted.
        if known and unknown:
            shown = ", ".join(sorted(unknown))
            yield ToolUseRefused(
                f"The server {use.server.slug} offers no function {shown}.", use.server, field
            )
