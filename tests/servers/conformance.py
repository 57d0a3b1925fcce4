"""All that the official conformance suite asks of a server, in both eras: `conformance.py [--http PORT]`.

Without a port it speaks on standard input and output. Its tools are in conformance_tools.py and
conformance_questions.py. It logs whatever level a client of the older era has set.
"""

import argparse
from functools import partial
from typing import Any

import conformance_questions  # noqa: F401 - its tools are offered by being defined
import uvicorn
from conformance_asking import Asked, Inputs, form
from conformance_tools import PIXEL, STRING, TOOLS, Call, added_prompts, bus, schema_of, watched
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.subscriptions import ListenHandler
from sdk_server import SdkServer, run_stdio, sdk_server

Context = ServerRequestContext[Any, Any]
RETRY_MS = 500
PROMPTS = [
    types.Prompt(name="test_simple_prompt", description="Says one thing."),
    types.Prompt(
        name="test_prompt_with_arguments",
        description="Says its two arguments.",
        arguments=[types.PromptArgument(name=name, required=True) for name in ("arg1", "arg2")],
    ),
    types.Prompt(
        name="test_prompt_with_embedded_resource",
        description="Holds a resource.",
        arguments=[types.PromptArgument(name="resourceUri", required=True)],
    ),
    types.Prompt(name="test_prompt_with_image", description="Holds an image."),
    types.Prompt(name="test_input_required_result_prompt", description="Asks for its context."),
]
TEXTS = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "Watched resource content",
}
RESOURCES = [
    types.Resource(uri="test://static-text", name="static-text", mime_type="text/plain"),
    types.Resource(uri="test://static-binary", name="static-binary", mime_type="image/png"),
    types.Resource(uri="test://watched-resource", name="watched-resource", mime_type="text/plain"),
]
TEMPLATE = types.ResourceTemplate(
    uri_template="test://template/{id}/data", name="template", mime_type="application/json"
)


class Events(EventStore):
    """What was sent on streams that may be resumed: by its number, with its stream."""

    def __init__(self) -> None:
        self._events: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        last = int(last_event_id)
        stream = self._events[last - 1][0]
        for number, (other, message) in enumerate(self._events[last:], last + 1):
            if other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


async def list_tools(_: Context, __: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[offered.definition for offered in TOOLS.values()])


async def call_tool(
    context: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    if (offered := TOOLS.get(params.name)) is None:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
    try:
        return await offered.call(Call(context, params))
    except Asked as asked:
        return asked.result


async def list_resources(_: Context, __: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=RESOURCES)


async def list_templates(_: Context, __: Any) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=[TEMPLATE])


async def read_resource(_: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    return types.ReadResourceResult(contents=[contents(params.uri)])


def contents(uri: str) -> types.TextResourceContents | types.BlobResourceContents:
    if uri in TEXTS:
        return types.TextResourceContents(uri=uri, mime_type="text/plain", text=TEXTS[uri])
    if uri == "test://static-binary":
        return types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PIXEL)
    match uri.removeprefix("test://").split("/"):
        case ["template", part, "data"]:
            text = f'{{"id": "{part}", "templateTest": true, "data": "Data for ID: {part}"}}'
            return types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
    raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})


async def subscribe(_: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
    watched.add(params.uri)
    return types.EmptyResult()


async def unsubscribe(_: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    watched.discard(params.uri)
    return types.EmptyResult()


async def set_level(_: Context, __: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


async def complete(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    values = [f"{params.argument.value}{end}" for end in ("-one", "-two")]
    return types.CompleteResult(completion=types.Completion(values=values, total=2, has_more=False))


async def list_prompts(_: Context, __: Any) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[*PROMPTS, *added_prompts])


async def get_prompt(
    context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    if params.name == "test_input_required_result_prompt":
        try:
            return prompt(await context_of_prompt(Inputs(context, params)))
        except Asked as asked:
            return asked.result
    return prompt(*said(params.name, params.arguments or {}))


async def context_of_prompt(inputs: Inputs) -> str:
    question = form("What context should the prompt use?", context=STRING)
    answers = await inputs.ask(user_context=question)
    return f"Prompt with context: {answers['user_context'].content}"


def said(name: str, arguments: dict[str, str]) -> list[str | types.ContentBlock]:
    match name:
        case "test_simple_prompt":
            return ["This is a simple prompt for testing."]
        case "test_prompt_with_arguments":
            return [f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'"]
        case "test_prompt_with_embedded_resource":
            text = "Embedded resource content for testing."
            resource = types.TextResourceContents(
                uri=arguments["resourceUri"], mime_type="text/plain", text=text
            )
            return [
                types.EmbeddedResource(resource=resource),
                "Please process the embedded resource above.",
            ]
        case "test_prompt_with_image":
            return [types.ImageContent(data=PIXEL, mime_type="image/png"), "Please analyze the image above."]
    raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {name}")


def prompt(*messages: str | types.ContentBlock) -> types.GetPromptResult:
    blocks = [types.TextContent(text=each) if isinstance(each, str) else each for each in messages]
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=each) for each in blocks])


def make_server() -> SdkServer:
    return sdk_server(
        "conformance",
        instructions="Call the tools that the conformance suite names.",
        get_tool_input_schema=schema_of,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_subscriptions_listen=ListenHandler(bus),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_set_logging_level=set_level,
    )


async def serve(server: SdkServer, read: Any, write: Any) -> None:
    await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, metavar="PORT")
    port = parser.parse_args().http
    if port is None:
        run_stdio(partial(serve, make_server()))
    else:
        app = make_server().streamable_http_app(event_store=Events(), retry_interval=RETRY_MS)
        # h11 trims what may stand around a header's value; httptools leaves what follows it.
        uvicorn.run(app, port=port, log_level="warning", http="h11")
