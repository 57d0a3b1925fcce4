"""What the scenarios of the conformance suite want a client to do, for any client."""

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

COMMAND = Path(__file__).with_name("command.py")
LINE_LIMIT = 2**20
SUM = {"a": 5, "b": 3}
LISTED_ONLY = {"initialize", "json-schema-ref-no-deref"}
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tools_call": [("add_numbers", SUM)],
    "request-metadata": [("add_numbers", SUM)],
    "sse-retry": [("test_reconnection", {})],
    "elicitation-sep1034-client-defaults": [("test_client_elicitation_defaults", {})],
    "sep-2322-client-request-state": [
        ("test_mrtr_echo_state", {}),
        ("test_mrtr_unrelated", {}),
        ("test_mrtr_no_state", {}),
        ("test_mrtr_no_result_type", {}),
    ],
}
VALUES = {"string": "x", "integer": 0, "number": 0, "boolean": False, "object": {}, "array": [], "null": None}


@dataclass(frozen=True)
class Task:
    """What the suite wants of a client. `context`: what a client has to know for the scenario."""

    url: str
    scenario: str
    version: str
    context: dict[str, Any]


class Connection(Protocol):
    """An open connection of a client: what every scenario needs of it."""

    async def list_tools(self) -> list[dict[str, Any]]: ...

    async def call(self, name: str, arguments: dict[str, Any]) -> None: ...

    async def read_all(self) -> None:
        """Lists resources and prompts, and gets one of each."""


Client = Callable[[Task], Awaitable[None]]


@asynccontextmanager
async def command(client: Client) -> AsyncIterator[str]:
    """A command for the suite, by which it starts `client`, one scenario after the other."""
    turn = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = Task(**json.loads(await reader.readline()))
        async with turn:
            said = await _error(client, task)
        writer.write(json.dumps(said).encode() + b"\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=LINE_LIMIT) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{sys.executable} -I -S {COMMAND} {port}"


async def _error(client: Client, task: Task) -> str:
    """What the client failed with; empty if it did not."""
    try:
        await client(task)
    except Exception:  # noqa: BLE001 - the suite keeps it with the scenario's results
        return traceback.format_exc()
    return ""


async def play(task: Task, connection: Connection) -> None:
    """Does what the scenario wants."""
    tools = await connection.list_tools()
    if task.scenario in LISTED_ONLY:
        return
    if task.scenario == "http-standard-headers":
        await connection.read_all()
    for name, arguments in _calls(task, tools):
        await connection.call(name, arguments)


def _calls(task: Task, tools: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    if task.scenario in CALLS:
        return CALLS[task.scenario]
    if task.scenario == "http-custom-headers":
        return [(call["name"], call.get("arguments") or {}) for call in task.context["toolCalls"]]
    if task.scenario == "json-schema-2020-12-preservation":
        schemas = {tool["name"]: tool["inputSchema"] for tool in tools}
        return [("json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})]
    if task.scenario == "http-invalid-tool-headers":
        return [(tool["name"], _required(tool["inputSchema"])) for tool in tools]
    return [(tool["name"], {}) for tool in tools[:1]]


def accepted(params: dict[str, Any]) -> dict[str, Any]:
    """The answer of a person to a form: its defaults, and yes to what has none."""
    fields = (params.get("requestedSchema") or {}).get("properties", {})
    content = {name: field.get("default", True) for name, field in fields.items()}
    return {"action": "accept", "content": content}


def _required(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: schema["properties"][name].get("type") for name in schema.get("required", [])}
    return {name: VALUES.get(kind, "x") for name, kind in kinds.items()}
