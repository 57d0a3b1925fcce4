"""The tools of conformance.py: the names, arguments and answers are those of the suite's scenarios."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
from conformance_asking import Inputs
from mcp import types
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)

STEP_S = 0.05
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
STRING = {"type": "string"}
SCHEMA_2020 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": STRING, "city": STRING},
        }
    },
    "properties": {
        "name": STRING,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": STRING,
        "email": STRING,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}


@dataclass(frozen=True)
class Call(Inputs):
    """A call of a tool."""

    params: types.CallToolRequestParams

    @property
    def arguments(self) -> dict[str, Any]:
        return self.params.arguments or {}

    async def log(self, text: str) -> None:
        await self.context.session.send_log_message("info", text, related_request_id=self.context.request_id)


Answer = str | list[types.ContentBlock] | types.CallToolResult
Function = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Offered:
    definition: types.Tool
    function: Function

    async def call(self, call: Call) -> types.CallToolResult:
        answer = await self.function(call)
        if isinstance(answer, types.CallToolResult):
            return answer
        content = [types.TextContent(text=answer)] if isinstance(answer, str) else answer
        return types.CallToolResult(content=content)


TOOLS: dict[str, Offered] = {}
bus = InMemorySubscriptionBus()
watched: set[str] = set()
"""URIs that a client of the older era has subscribed to."""


def tool(schema: dict[str, Any] | None = None, **more: Any) -> Callable[[Function], Function]:
    """Offers a function under its own name, described by its docstring."""

    def offer(function: Function) -> Function:
        name, description = function.__name__, function.__doc__
        definition = types.Tool(
            name=name, description=description, input_schema=schema or {"type": "object"}, **more
        )
        TOOLS[name] = Offered(definition, function)
        return function

    return offer


def schema_of(name: str) -> dict[str, Any] | None:
    return TOOLS[name].definition.input_schema if name in TOOLS else None


def needs(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


def image() -> types.ImageContent:
    return types.ImageContent(data=PIXEL, mime_type="image/png")


def embedded(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(resource=contents)


@tool()
async def test_simple_text(call: Call) -> Answer:
    """Says one thing."""
    return "This is a simple text response for testing."


@tool()
async def test_image_content(call: Call) -> Answer:
    """Shows an image."""
    return [image()]


@tool()
async def test_audio_content(call: Call) -> Answer:
    """Plays silence."""
    return [types.AudioContent(data=SILENCE, mime_type="audio/wav")]


@tool()
async def test_embedded_resource(call: Call) -> Answer:
    """Holds a resource."""
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool()
async def test_multiple_content_types(call: Call) -> Answer:
    """Holds a text, an image and a resource."""
    text = types.TextContent(text="Multiple content types test:")
    more = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text, image(), more]


@tool(output_schema=needs(sum={"type": "integer"}))
async def test_structured_content(call: Call) -> Answer:
    """Answers with an object, with metadata beside it."""
    text = types.TextContent(text='{"sum": 5}')
    return types.CallToolResult(content=[text], structured_content={"sum": 5}, _meta={"example.com/seen": 1})


@tool()
async def test_error_handling(call: Call) -> Answer:
    """Fails."""
    text = types.TextContent(text="This tool intentionally returns an error for testing")
    return types.CallToolResult(content=[text], is_error=True)


@tool()
async def test_tool_with_logging(call: Call) -> Answer:
    """Logs three messages."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log(text)
        await anyio.sleep(STEP_S)
    return "Logged."


@tool()
async def test_logging_tool(call: Call) -> Answer:
    """Logs a message for those who want it."""
    await call.log("This is logged only where it was asked for")
    return "Logged, if that was asked for."


@tool()
async def test_tool_with_progress(call: Call) -> Answer:
    """Reports how far it is, three times."""
    for progress in (0, 50, 100):
        await call.context.session.report_progress(progress, 100, f"Completed {progress} of 100")
        await anyio.sleep(STEP_S)
    return "Progressed."


@tool()
async def test_reconnection(call: Call) -> Answer:
    """Closes its stream before it answers: the client resumes it."""
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
    await anyio.sleep(2 * STEP_S)
    return "Reconnected."


@tool(SCHEMA_2020)
async def json_schema_2020_12_tool(call: Call) -> Answer:
    """Has a schema with much of JSON Schema 2020-12."""
    return f"Called with {call.arguments}"


@tool(needs(region={"type": "string", "x-mcp-header": "Region"}))
async def test_x_mcp_header(call: Call) -> Answer:
    """Has an argument that HTTP clients repeat in a header."""
    return f"Region: {call.arguments['region']}"


ADDED = Offered(
    types.Tool(name="test_added", description="Is there at times.", input_schema={"type": "object"}),
    test_simple_text,
)
ADDED_PROMPT = types.Prompt(name="test_added_prompt", description="Is there at times.")
added_prompts: list[types.Prompt] = []


@tool()
async def test_trigger_tool_change(call: Call) -> Answer:
    """Offers one more tool, or one less, and reports that."""
    if TOOLS.pop("test_added", None) is None:
        TOOLS["test_added"] = ADDED
    if call.is_modern:
        await bus.publish(ToolsListChanged())
    else:
        await call.context.session.send_tool_list_changed()
    return "Changed."


@tool()
async def test_trigger_prompt_change(call: Call) -> Answer:
    """Offers one more prompt, or one less, and reports that."""
    added_prompts[:] = [] if added_prompts else [ADDED_PROMPT]
    if call.is_modern:
        await bus.publish(PromptsListChanged())
    else:
        await call.context.session.send_prompt_list_changed()
    return "Changed."


@tool(needs(uri=STRING))
async def test_trigger_resource_update(call: Call) -> Answer:
    """Reports to its subscribers that a resource has changed."""
    uri = call.arguments["uri"]
    if call.is_modern:
        await bus.publish(ResourceUpdated(uri))
    elif uri in watched:
        await call.context.session.send_resource_updated(uri)
    return "Updated."
