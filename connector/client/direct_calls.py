"""Calls of tools outside of chats: of staff in the inspector, and of managing keys over REST.

They obey what a chat's call obeys: the tool is enabled, its definition is approved, rules and filters allow
the call, and its result passes the filters. Each call is audited first.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from django.utils.translation import gettext_lazy

from apikeys import audit
from apikeys.principal import Principal
from connector.client import calls
from connector.wire.results import CallResult
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


class Refused(Exception):
    """The call was not made. `code` is for programs, the text for people."""

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made, with these arguments. `released` returns its result as it may be seen."""

    arguments: dict[str, Any] = field(repr=False)
    released: Callable[[CallResult], Awaitable[CallResult]]


class Guard(Protocol):
    """Knows the rules and filters of calls. It is called in threads that use the ORM."""

    def admitted(self, function: ToolFunction, arguments: dict[str, Any], caller: Principal) -> Admitted:
        """Judges a call whose arguments fit the tool's schema. Raises Refused."""

    async def released(self, server_id: int, read: dict[str, Any]) -> dict[str, Any]:
        """Returns what was read from a server, contents or messages, as it may be seen. Raises Refused."""


_guard = ""


def guarded_by(module: str) -> None:
    """Names the module that is the Guard: it stands above this app, and only a web process loads it."""
    global _guard  # noqa: PLW0603 - said once, when the apps are loaded
    _guard = module


def guard() -> Guard:
    return cast(Guard, import_module(_guard))


def admitted(
    server: MCPTool, function: ToolFunction, arguments: dict[str, Any], caller: Principal
) -> Admitted:
    """Returns how somebody may call a tool. Raises Refused, for one that models are not given too."""
    for reason in function.withheld(server):
        raise Refused(str(_WITHHELD[reason]), reason)
    return guard().admitted(function, arguments, caller)


async def made(server_id: int, name: str, call: Admitted, *, timeout_s: float) -> CallResult:
    """Makes a call, and returns its result as it may be seen. Raises CallFailed."""
    return await call.released(await calls.call(server_id, name, call.arguments, timeout_s=timeout_s))


def record(server: MCPTool, name: str, action: str, arguments: Mapping[str, Any], *, by: Actor) -> None:
    """Records who calls what, with the names of the arguments: their values may be anything."""
    names = sorted(map(str, arguments))[:MOST_NAMES]
    audit.happened(
        action, by=by, kind="MCP server", object_id=server.pk, name=f"{server.name}: {name}", arguments=names
    )
