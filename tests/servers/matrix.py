"""A server of one version of MCP that answers with what it is given: `matrix.py VERSION TRANSPORT [PORT]`.

Each tool gets a word, `nonce`, that its answer holds, as does all that it reports and asks on the way: so a
caller can tell that the answer is its own. TRANSPORT: stdio, sse or streamable_http.
"""

import base64
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import uvicorn
from conformance_asking import Asked, Inputs, form, sampling
from mcp import MCPError, types
from mcp.server.context import CallNext, ServerRequestContext
from mcp.server.runner import ServerRunner, serve_loop
from mcp.server.sse import SseServerTransport
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ToolsListChanged
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from sdk_server import SdkServer, run_stdio, sdk_server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

VERSION, TRANSPORT, *PORT = sys.argv[1:]
IS_MODERN = VERSION in MODERN_PROTOCOL_VERSIONS
ANY = {"type": "object", "properties": {"nonce": {"type": "string"}}, "required": ["nonce"]}
STRING = {"type": "string"}
Context = ServerRequestContext[Any, Any]
Answer = list[types.ContentBlock] | types.CallToolResult
bus = InMemorySubscriptionBus()
cancelled: set[str] = set()
grown: list[str] = []
listing: dict[int, Any] = {}
"""The sessions that have listed the tools, by connection: they are told of changes."""
watching: dict[str, Any] = {}
"""Sessions by the URI of the resource that they follow."""


class Call(Inputs):
    """A call of a tool."""

    @property
    def nonce(self) -> str:
        return str((self.params.arguments or {})["nonce"])


def said(text: str) -> list[types.ContentBlock]:
    return [types.TextContent(text=text)]


async def echo(call: Call) -> Answer:
    return said(call.nonce)


async def progress(call: Call) -> Answer:
    for step in (1, 2, 3):
        await call.context.session.report_progress(step, 3, f"{call.nonce} {step}")
        await anyio.sleep(0.1)
    return said(call.nonce)


async def wait(call: Call) -> Answer:
    """Reports that it has begun, and waits until it is cancelled."""
    try:
        await call.context.session.report_progress(1, None, call.nonce)
        await anyio.sleep(60)
    except anyio.get_cancelled_exc_class():
        cancelled.add(call.nonce)
        raise
    return said("nobody cancelled")


async def was_cancelled(call: Call) -> Answer:
    return said(f"{call.nonce} {call.nonce in cancelled}")


async def fail(call: Call) -> Answer:
    return types.CallToolResult(content=said(call.nonce), is_error=True)


async def refuse(call: Call) -> Answer:
    raise MCPError(-32050, f"Refused: {call.nonce}", {"nonce": call.nonce})


async def structured(call: Call) -> Answer:
    content = {"nonce": call.nonce, "none": None, "many": [1, 2.5]}
    return types.CallToolResult(
        content=said(call.nonce), structured_content=content, _meta={"x/y": call.nonce}
    )


async def image(call: Call) -> Answer:
    data = base64.b64encode(call.nonce.encode()).decode()
    return [types.ImageContent(data=data, mime_type="image/png")]


async def ask(call: Call) -> Answer:
    answer = (await call.ask(user=form(f"Who are you? {call.nonce}", name=STRING)))["user"]
    return said(f"{call.nonce} {answer.action} {(answer.content or {}).get('name')}")


async def sample(call: Call) -> Answer:
    answer = (await call.ask(model=sampling(call.nonce)))["model"]
    return said(f"{call.nonce} {answer.content.text}")


async def grow(call: Call) -> Answer:
    """Offers a tool more, and says so to all who have listed the tools."""
    grown.append(f"grown-{call.nonce}")
    if IS_MODERN:
        await bus.publish(ToolsListChanged())
    for session in listing.values() if not IS_MODERN else ():
        await session.send_tool_list_changed()
    return said(call.nonce)


async def touch(call: Call) -> Answer:
    """Reports that the resource of this nonce has changed."""
    uri = f"matrix://{call.nonce}"
    if IS_MODERN:
        await bus.publish(ResourceUpdated(uri))
    elif uri in watching:
        await watching[uri].send_resource_updated(uri)
    return said(call.nonce)


TOOLS: dict[str, Callable[[Call], Awaitable[Answer]]] = {
    function.__name__: function
    for function in (
        *(echo, progress, wait, was_cancelled, fail, refuse),
        *(structured, image, ask, sample, grow, touch),
    )
}


async def list_tools(context: Context, _: Any) -> types.ListToolsResult:
    listing[id(context.session._connection)] = context.session
    return types.ListToolsResult(
        tools=[types.Tool(name=name, description="A tool.", input_schema=ANY) for name in (*TOOLS, *grown)]
    )


async def call_tool(
    context: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    try:
        answer = await TOOLS[params.name](Call(context, params))
    except Asked as asked:
        return asked.result
    return answer if isinstance(answer, types.CallToolResult) else types.CallToolResult(content=answer)


async def list_templates(*_: Any) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(uri_template="matrix://{nonce}", name="matrix")
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def list_resources(*_: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[])


async def read_resource(_: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=params.uri, text=params.uri)])


async def subscribe(context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
    watching[str(params.uri)] = context.session
    return types.EmptyResult()


async def unsubscribe(_: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    watching.pop(str(params.uri), None)
    return types.EmptyResult()


async def of_one_version(context: Context, call_next: CallNext) -> Any:
    """Refuses what begins a connection of the other era."""
    if context.method == ("initialize" if IS_MODERN else "server/discover"):
        raise MCPError(types.METHOD_NOT_FOUND, "Method not found")
    return await call_next(context)


def negotiated(params: Any) -> tuple[types.InitializeRequestParams, str]:
    """Instead of the SDK's own, which takes what the client asks for."""
    return types.InitializeRequestParams.model_validate(params, by_name=False), VERSION


def make_server() -> SdkServer:
    server = sdk_server(
        "matrix",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_subscriptions_listen=ListenHandler(bus) if IS_MODERN else None,
    )
    server.middleware.append(of_one_version)
    return server


async def serve(server: SdkServer, read: Any, write: Any) -> None:
    options = server.create_initialization_options()
    if IS_MODERN:
        await server.run(read, write, options)
        return
    # `run` would be of the stateless era from the first request that is, whatever answers it.
    async with server.lifespan(server) as state:
        await serve_loop(server, read, write, lifespan_state=state, init_options=options)


def sse_app(server: SdkServer) -> Starlette:
    transport = SseServerTransport("/messages/")

    async def connect(request: Request) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await serve(server, read, write)
        return Response()

    return Starlette(routes=[Route("/sse", connect), Mount("/messages/", transport.handle_post_message)])


if __name__ == "__main__":
    if not IS_MODERN:
        ServerRunner._negotiate_initialize = staticmethod(negotiated)  # type: ignore[method-assign]
    if TRANSPORT == "stdio":
        run_stdio(partial(serve, make_server()))
    else:
        app = sse_app(make_server()) if TRANSPORT == "sse" else make_server().streamable_http_app()
        uvicorn.run(app, port=int(PORT[0]), log_level="warning")
