"""What the inspector does: calls a tool, gets a prompt, reads a resource, as a chat would.

It obeys what a chat's call obeys: the server is enabled, the tool is enabled and approved, its arguments fit
its schema, and rules and filters allow it. What is not declared read-only is called only if it was confirmed.
Each call is audited first.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apikeys.principal import Limits, Principal
from connector.admin.inspected import Part, parts_of_call, parts_of_messages, parts_of_resource
from connector.client import calls, direct_calls
from connector.client.direct_calls import Refused, record
from connector.client.waiting import awaited
from connector.errors import CallFailed
from core.actor import Actor
from core.admin.text import shown
from core.message import said
from tools.arguments import InvalidArguments, checked
from tools.models import MCPTool, Offer, ToolFunction

LONGEST_URI = 2048
PERMISSION = "tools.call_toolfunction"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A result. `failure`: why there is none. `is_error`: the tool ran, and reports that it failed."""

    parts: list[Part]
    duration_ms: int
    is_error: bool = False
    failure: str = ""


def call_tool(
    server: MCPTool, function_id: int, arguments: dict[str, Any], *, by: Actor, confirmed: bool
) -> Inspected:
    """Calls a tool. Raises Refused."""
    function = _offered(server, function_id)
    arguments = _fitting(function, arguments)
    if function.annotations.get("readOnlyHint") is not True and not confirmed:
        raise Refused(_("This tool may change something."), "confirm")
    caller = Principal.of_user(by.id or 0, by.name, PERMISSION, Limits())
    admitted = direct_calls.admitted(server, function, arguments, caller)
    record(server, function.public_name, "called", admitted.arguments, by=by)

    def call() -> tuple[list[Part], bool]:
        timeout_s = server.call_timeout_s
        result = awaited(direct_calls.made(server.pk, function.name, admitted, timeout_s=timeout_s))
        return parts_of_call(result), result.is_error

    return _timed(call)


def get_prompt(server: MCPTool, name: str, arguments: dict[str, Any], *, by: Actor) -> Inspected:
    """Gets a prompt that the server offers. Raises Refused."""
    _require_enabled(server)
    _require_offer(server, [Offer.Kind.PROMPT], name)
    texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
    record(server, name, "got prompt", texts, by=by)

    def get() -> tuple[list[Part], bool]:
        result = awaited(calls.get_prompt(server.pk, name, texts, timeout_s=server.call_timeout_s))
        seen = awaited(direct_calls.guard().released(server.pk, {"messages": result.messages}))
        return parts_of_messages(seen["messages"]), False

    return _timed(get)


def read_resource(server: MCPTool, uri: str, *, by: Actor) -> Inspected:
    """Reads a resource by its URI, which may be one of a template. Raises Refused."""
    _require_enabled(server)
    if not uri or "\0" in uri or len(uri) > LONGEST_URI:
        raise Refused(_("Give the address (URI) of a resource, of up to %d characters.") % LONGEST_URI)
    record(server, uri, "read resource", {}, by=by)

    def read() -> tuple[list[Part], bool]:
        contents = awaited(calls.read_resource(server.pk, uri, timeout_s=server.call_timeout_s))
        seen = awaited(direct_calls.guard().released(server.pk, {"contents": contents}))
        return [part for each in seen["contents"] for part in parts_of_resource(each)], False

    return _timed(read)


def _timed(work: Callable[[], tuple[list[Part], bool]]) -> Inspected:
    began = time.monotonic()
    try:
        parts, is_error = work()
    except CallFailed as failure:
        return Inspected([], _ms_since(began), failure=shown(said(failure.message)))
    return Inspected(parts, _ms_since(began), is_error)


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _offered(server: MCPTool, function_id: int) -> ToolFunction:
    _require_enabled(server)
    function = ToolFunction.objects.without_vectors().filter(server=server, pk=function_id).first()
    if function is None:
        raise Refused(_("The server does not offer this tool any more."))
    return function


def _require_enabled(server: MCPTool) -> None:
    if not server.is_enabled:
        raise Refused(_("The server is stopped. Start it to call its tools."))


def _require_offer(server: MCPTool, kinds: list[Offer.Kind], identity: str) -> None:
    if not Offer.objects.filter(server=server, kind__in=kinds, identity=identity).exists():
        raise Refused(_("The server does not offer this any more."))


def _fitting(function: ToolFunction, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments as a chat's call would send them. Raises Refused, with where and what."""
    try:
        return awaited(checked(function.input_schema, arguments))
    except InvalidArguments as invalid:
        told = "; ".join(f"{each.where()}: {said(each.message)}" for each in invalid.problems)
        raise Refused(_("The arguments do not fit: %s") % shown(told, most=2_000)) from invalid
