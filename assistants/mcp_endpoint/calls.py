"""Calls of tools, reads of resources, prompts and completions: requests that a server answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assistants import tool_calls
from assistants.catalogue.entries import AssistantEntry
from assistants.catalogue.servers import ServerOffer
from assistants.mcp_endpoint import callbacks, messages, params, states
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.outlet import Outlet
from assistants.mcp_endpoint.protocol import (
    CAPABILITIES_META,
    CLIENT_INFO_META,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LOG_LEVEL_META,
    LOG_LEVELS,
    RESOURCE_NOT_FOUND,
    SERVER_INFO_META,
    VERSION_META,
    RpcError,
    invalid_params,
)
from assistants.mcp_endpoint.reach import Tool
from assistants.mcp_endpoint.sessions import Session
from assistants.models import RunKind
from assistants.tool_calls import Asked, NotCalled, NotRead
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed, InvalidState, ServerError
from connector.wire.asking import ELICITED
from connector.wire.results import Progress
from tools.arguments import InvalidArguments

MOST_ROUNDS = 10
"""How often a server may ask back during one request."""
DEFAULT_LOG_LEVEL = "info"
_LONGEST_NAME = 128
_OURS = frozenset({"progressToken", VERSION_META, CAPABILITIES_META, CLIENT_INFO_META, LOG_LEVEL_META})
"""What is between the client and us in a request's `_meta`; all else is for the server."""

Result = dict[str, Any]

Send = Callable[[Exchange], Awaitable[Result | InputRequired]]


@dataclass(frozen=True, slots=True)
class Behind:
    """The server that answers a request."""

    id: int
    name: str


async def call_tool(client: Client, request: Request, outlet: Outlet) -> Result:
    """tools/call. What keeps a tool from being called is a result, too, that the model reads."""
    name, arguments = params.text(request, "name"), params.objects(request, "arguments")
    tool = client.reach.tools.get(name)
    if tool is None:
        raise invalid_params(f"Unknown tool: {name[:_LONGEST_NAME]}")
    return await run_tool(client, request, outlet, tool, arguments)


async def run_tool(
    client: Client, request: Request, outlet: Outlet, tool: Tool, arguments: Mapping[str, Any]
) -> Result:
    """Calls a tool for a request. Raises RpcError and what the limits of the key raise."""
    asked = _asked(client, tool.assistant)

    async def send(exchange: Exchange) -> Result | InputRequired:
        answer = await tool_calls.call(asked, tool.function, arguments, exchange)
        return answer if isinstance(answer, InputRequired) else answer.noted

    try:
        behind = Behind(tool.function.server_id, tool.function.server_name)
        return await _answered(client, request, outlet, behind, send)
    except InvalidArguments as invalid:
        problems = "\n".join(f"- {each.where()}: {each.message}" for each in invalid.problems)
        return failed_result(f"Not called, because its arguments are wrong:\n{problems}", client)
    except CallFailed as failure:
        return failed_result(failure.message, client)
    except NotCalled as refusal:
        return failed_result(str(refusal), client)


async def read_resource(client: Client, request: Request, outlet: Outlet) -> Result:
    """resources/read. Raises RpcError."""
    uri = params.text(request, "uri")
    server = client.reach.server_of(uri)
    if server is None:
        raise unknown_resource(client, uri)
    try:
        result = await _read(client, request, outlet, server, {"uri": uri})
    except RpcError as error:
        if error.code in {RESOURCE_NOT_FOUND, INVALID_PARAMS}:
            raise unknown_resource(client, uri) from error
        raise
    if client.is_stateless and result.get("resultType") == "complete":
        # Whatever the server says of its own callers: here each key has a view of its own.
        result |= {"ttlMs": result.get("ttlMs", 0), "cacheScope": "private"}
    return result


async def get_prompt(client: Client, request: Request, outlet: Outlet) -> Result:
    """prompts/get. Raises RpcError."""
    prompt = client.reach.prompts.get(name := params.text(request, "name"))
    if prompt is None:
        raise invalid_params(f"Unknown prompt: {name[:_LONGEST_NAME]}")
    sent = {"name": prompt.definition["name"], "arguments": params.objects(request, "arguments")}
    return await _read(client, request, outlet, prompt.server, sent)


async def complete(client: Client, request: Request, outlet: Outlet) -> Result:
    """completion/complete. A server that completes nothing has no values. Raises RpcError."""
    server, reference = _completed(client, params.objects(request, "ref"))
    sent = {"ref": reference, "argument": params.objects(request, "argument")}
    if context := params.objects(request, "context"):
        sent["context"] = context
    if not server.announces("completions"):
        return complete_result({"completion": {"values": [], "hasMore": False}}, client)
    asked = _asked(client)

    async def send(exchange: Exchange) -> Result | InputRequired:
        return await tool_calls.request(asked, server, request.method, sent, exchange)

    return await _requested(client, request, outlet, server, send)


def _completed(client: Client, reference: Mapping[str, Any]) -> tuple[ServerOffer, dict[str, Any]]:
    """Returns the server of what is completed, and the reference as it knows it."""
    match reference.get("type"), reference.get("name"), reference.get("uri"):
        case "ref/prompt", str(name), _ if prompt := client.reach.prompts.get(name):
            return prompt.server, {"type": "ref/prompt", "name": prompt.definition["name"]}
        case "ref/resource", _, str(uri) if server := client.reach.server_of(uri):
            return server, {"type": "ref/resource", "uri": uri}
    raise invalid_params("The reference names no prompt and no resource of this server.")


async def _read(
    client: Client, request: Request, outlet: Outlet, server: ServerOffer, sent: dict[str, Any]
) -> Result:
    asked = _asked(client)

    async def send(exchange: Exchange) -> Result | InputRequired:
        return await tool_calls.read(asked, server, request.method, sent, exchange)

    try:
        return await _requested(client, request, outlet, server, send)
    except NotRead as refusal:
        raise RpcError(INTERNAL_ERROR, str(refusal)) from refusal


async def _requested(
    client: Client, request: Request, outlet: Outlet, server: ServerOffer, send: Send
) -> Result:
    try:
        return await _answered(client, request, outlet, Behind(server.id, server.name), send)
    except CallFailed as failure:
        code = RESOURCE_NOT_FOUND if failure.code == "not_found" else INTERNAL_ERROR
        raise RpcError(code, failure.message) from failure


def _asked(client: Client, assistant: AssistantEntry | None = None) -> Asked:
    session, opened_at = (client.session.name, client.session.opened_at) if client.session else ("", 0.0)
    return Asked(
        client.principal,
        client.request_id,
        RunKind.MCP,
        assistant,
        end_user=client.end_user,
        session=session,
        session_opened_at=opened_at,
        beside=client.reach.assistants,
    )


async def _answered(client: Client, request: Request, outlet: Outlet, server: Behind, send: Send) -> Result:
    """Returns the result, and asks a client of the era of sessions what the server asks on the way."""
    exchange = await _exchange(client, request, outlet)
    try:
        answer = await send(exchange)
        if isinstance(answer, InputRequired) and client.session is not None:
            answer = await _rounds(client.session, outlet, server, send, exchange=exchange, asked=answer)
    except ServerError as error:
        raise RpcError(error.code, error.message, error.data) from error
    except InvalidState as failure:
        raise invalid_params(failure.message) from failure
    if not isinstance(answer, InputRequired):
        return complete_result(answer, client)
    questions = callbacks.introduced(answer.requests, server.name)
    return {"resultType": "input_required", "inputRequests": questions, "requestState": answer.state}


async def _rounds(
    session: Session, outlet: Outlet, server: Behind, send: Send, *, exchange: Exchange, asked: InputRequired
) -> Result:
    """Asks the client, and sends the request again with its answers, until the server has a result."""
    try:
        for _ in range(MOST_ROUNDS):
            exchange = replace(exchange, state=asked.state)
            questions = callbacks.introduced(asked.requests, server.name)
            answers = await callbacks.ask(session, outlet, questions)
            answer = await send(replace(exchange, responses=answers))
            if not isinstance(answer, InputRequired):
                return answer
            asked = answer
        raise RpcError(INTERNAL_ERROR, f"The server asked back {MOST_ROUNDS} times, and still had no result.")
    except BaseException:
        # The client has gone, or a round was refused, as each counts in the limits: no other one will come.
        await tool_calls.give_up(server.id, exchange)
        raise


async def _exchange(client: Client, request: Request, outlet: Outlet) -> Exchange:
    level = await _log_level(client, request)
    token = request.meta.get("progressToken")
    return Exchange(
        meta={name: value for name, value in request.meta.items() if name not in _OURS} or None,
        capabilities=client.capabilities,
        session=client.session.name if client.session else "",
        key_id=client.principal.id,
        on_progress=_reporter(outlet, token) if isinstance(token, str | int) else None,
        on_log=_passing_on(outlet, "notifications/message") if level else None,
        on_elicited=_passing_on(outlet, ELICITED) if client.session else None,
        log_level=level,
        state=params.text(request, "requestState", default="") if client.is_stateless else "",
        responses=params.objects(request, "inputResponses") or None,
    )


def _reporter(outlet: Outlet, token: str | int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        reported: dict[str, Any] = {"progressToken": token, "progress": progress.progress}
        if progress.total is not None:
            reported["total"] = progress.total
        if progress.message is not None:
            reported["message"] = progress.message
        outlet.put(messages.notification("notifications/progress", reported))

    return report


def _passing_on(outlet: Outlet, method: str) -> Callable[[dict[str, Any]], None]:
    return lambda params: outlet.put(messages.notification(method, params))


async def _log_level(client: Client, request: Request) -> str:
    """Returns the least level of log messages that the client wants; "" for none of them."""
    if client.session is None:
        level = request.meta.get(LOG_LEVEL_META)
        return level if level in LOG_LEVELS else ""
    if not client.reach.announces("logging"):
        return ""
    # A server keeps a session for this client alone if the client wants its log, or can be asked.
    return (await states.of(client.session)).log_level or (DEFAULT_LOG_LEVEL if client.capabilities else "")


def complete_result(result: Result, client: Client) -> Result:
    """Returns a result as the client's era has it. Which software the server is stays with us."""
    if isinstance(meta := result.get("_meta"), dict) and SERVER_INFO_META in meta:
        kept = {name: value for name, value in meta.items() if name != SERVER_INFO_META}
        result = {name: value for name, value in result.items() if name != "_meta"}
        result |= {"_meta": kept} if kept else {}
    return {"resultType": "complete", **result} if client.is_stateless else result


def failed_result(text: str, client: Client) -> Result:
    """Returns a result that tells the model why there is none."""
    return complete_result({"content": [{"type": "text", "text": text}], "isError": True}, client)


def unknown_resource(client: Client, uri: str) -> RpcError:
    """Returns the error for a resource that is none of this server's, as the client's era has it."""
    code = INVALID_PARAMS if client.is_stateless else RESOURCE_NOT_FOUND
    return RpcError(code, "There is no such resource.", {"uri": uri})
