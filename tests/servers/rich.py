"""On the official SDK, with resources and prompts: `rich.py stdio|streamable-http [PORT]`."""

import asyncio
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.resources import TextResource
from pydantic import BaseModel

server = MCPServer("rich", version="1")


@server.resource("memo://today", title="Today", mime_type="text/plain")
def today() -> str:
    """What is to be done."""
    return "buy milk"


@server.resource("memo://picture", mime_type="image/png")
def picture() -> bytes:
    """A picture of it."""
    return b"\x89PNG"


@server.resource("memo://of/{day}")
def of(day: str) -> str:
    """What is to be done on a day."""
    return f"nothing on {day}"


@server.prompt(title="Greeting")
def greet(name: str, tone: str = "kind") -> str:
    """Greet somebody."""
    return f"Greet {name} in a {tone} tone."


@server.tool()
async def grow(context: Context) -> str:
    """Add a tool, a resource and a prompt, and report that in either era."""
    server.add_tool(shrink)
    server.add_resource(TextResource(uri="memo://new", name="new", text="fresh"))
    server.add_prompt(Prompt.from_function(greet, name="again"))
    await context.notify_tools_changed()
    await context.notify_resources_changed()
    await context.notify_prompts_changed()
    if context.request_context.protocol_version < "2026":
        session = context.request_context.session
        await session.send_tool_list_changed()
        await session.send_resource_list_changed()
        await session.send_prompt_list_changed()
    return "grown"


class Certainty(BaseModel):
    sure: bool


@server.tool()
async def confirm(context: Context) -> str:
    """Ask a person."""
    answer = await context.elicit("Sure?", Certainty)
    return f"{answer.action} {answer.data.sure if answer.action == 'accept' else ''}"


@server.tool()
async def note(text: str, context: Context) -> str:
    """Log something, and wait until all have."""
    await context.info(text)
    noted.append(text)
    while len(noted) < 2:
        await asyncio.sleep(0.02)
    return "noted"


noted: list[str] = []


def shrink() -> str:
    return "shrunk"


if __name__ == "__main__":
    transport, *port = sys.argv[1:]
    server.run(transport, **{"port": int(port[0])} if port else {})
