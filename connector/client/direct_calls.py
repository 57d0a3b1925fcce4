"""Calls of tools outside of chats: of staff in the inspector, and of managing keys over REST.

They obey what a chat's call obeys: the tool is enabled, its definition is approved, and the rules allow the
call. Each call is audited first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from apikeys import audit
from apikeys.principal import Principal
from core.actor import Actor
from tools.models import MCPTool, ToolFunction

MOST_NAMES = 50
_WITHHELD = {
    "function_removed": gettext_lazy("The server does not offer this tool any more."),
    "function_disabled": gettext_lazy("This tool is disabled. Enable it under Tools to call it."),
    "not_approved": gettext_lazy(
        "The definition of this tool awaits approval. Approve it under Tools to call it."
    ),
}

Judge = Callable[[ToolFunction, dict[str, Any], Principal], dict[str, Any]]
"""Returns the arguments with which somebody may call a tool. Raises Refused."""
_judges: list[Judge] = []


class Refused(Exception):
    """The call was not made. `code` is for programs, the text for people."""

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


def judged_by(judge: Judge) -> None:
    """Has each call judged: whoever knows the rules of calls stands above this app."""
    _judges.append(judge)


def require_offered(function: ToolFunction, server: MCPTool) -> None:
    """Raises Refused for a tool that models are not given. `server`: its own."""
    for reason in function.withheld(server):
        raise Refused(str(_WITHHELD[reason]), reason)


def judged(function: ToolFunction, arguments: dict[str, Any], caller: Principal) -> dict[str, Any]:
    """Returns the arguments to send, which fit the tool's schema before. Raises Refused."""
    for judge in _judges:
        arguments = judge(function, arguments, caller)
    return arguments


def record(server: MCPTool, name: str, action: str, arguments: Mapping[str, Any], *, by: Actor) -> None:
    """Records who calls what, with the names of the arguments: their values may be anything."""
    names = sorted(map(str, arguments))[:MOST_NAMES]
    audit.happened(
        action, by=by, kind="MCP server", object_id=server.pk, name=f"{server.name}: {name}", arguments=names
    )
