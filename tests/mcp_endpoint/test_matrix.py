"""Clients of each version through the endpoint to servers of each version, by each transport.

Each call has a word of its own that must come back to it, while all others are under way.
"""

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass

import pytest

from tests.connector.remote import SERVERS, RemoteServer
from tests.mcp_endpoint.peers import STATELESS, VERSIONS, Peer, connected
from tests.stack import BY, Stack
from tools import actions
from tools.models import MCPTool

DEADLINE_S = 60
TRANSPORTS = ("stdio", "sse", "streamable_http")
ASKABLE = {"elicitation": {}, "sampling": {}}
ASKING = ("elicitation", "sampling")
HEART = ("list", "call", "progress", "error", "structured")


@dataclass(frozen=True)
class Cell:
    client: str
    server: str
    transport: str
    operation: str

    @property
    def impossible(self) -> str:
        """Why this cannot be; "" if it can."""
        if self.operation == "elicitation" and "2025-03-26" in (self.client, self.server):
            return "Elicitation came with 2025-06-18."
        return ""


def text(answer: dict) -> str:
    [block] = answer["result"]["content"]
    return str(block["text"])


async def lists(peer: Peer, _: str) -> None:
    names = {tool["name"] for tool in (await peer.request("tools/list"))["result"]["tools"]}
    assert {"echo", "structured", "ask"} <= names


async def calls(peer: Peer, nonce: str) -> None:
    assert text(await peer.call("echo", nonce)) == nonce


async def reports_progress(peer: Peer, nonce: str) -> None:
    told: list[dict] = []
    meta = {"progressToken": f"token of {nonce}"}
    assert text(await peer.call("progress", nonce, on_told=told.append, _meta=meta)) == nonce
    params = [message["params"] for message in told if message["method"] == "notifications/progress"]
    assert {each["progressToken"] for each in params} == {f"token of {nonce}"}
    assert [each["message"] for each in params] == [f"{nonce} {step}" for step in (1, 2, 3)]
    assert [each["progress"] for each in params] == [1, 2, 3]


async def cancels(peer: Peer, nonce: str) -> None:
    params = {"name": "wait", "arguments": {"nonce": nonce}, "_meta": {"progressToken": nonce}}
    async with aclosing(peer.exchanged("tools/call", message_id=nonce, **params)) as received:
        begun = await anext(received)
        assert begun["params"]["progressToken"] == nonce
        if not peer.is_stateless:
            await peer.notify("notifications/cancelled", requestId=nonce)
            assert [message async for message in received] == []
    while text(await peer.call("was_cancelled", nonce)) != f"{nonce} True":
        await asyncio.sleep(0.1)


async def fails(peer: Peer, nonce: str) -> None:
    answer = await peer.call("fail", nonce)
    assert answer["result"]["isError"] is True
    assert text(answer) == nonce
    error = (await peer.call("refuse", nonce))["error"]
    assert error == {"code": -32050, "message": f"Refused: {nonce}", "data": {"nonce": nonce}}


async def is_structured(peer: Peer, nonce: str) -> None:
    result = (await peer.call("structured", nonce))["result"]
    assert result["structuredContent"] == {"nonce": nonce, "none": None, "many": [1, 2.5]}
    assert result["_meta"] == {"x/y": nonce}


async def shows_an_image(peer: Peer, nonce: str) -> None:
    [block] = (await peer.call("image", nonce))["result"]["content"]
    assert base64.b64decode(block["data"]).decode() == nonce
    assert (block["type"], block["mimeType"]) == ("image", "image/png")


async def is_asked(peer: Peer, nonce: str) -> None:
    assert text(await peer.call("ask", nonce)) == f"{nonce} accept name of {nonce}"


async def is_sampled(peer: Peer, nonce: str) -> None:
    assert text(await peer.call("sample", nonce)) == f"{nonce} about {nonce}"


async def is_told_of_tools(peer: Peer, nonce: str) -> None:
    async with peer.told_of(toolsListChanged=True):
        await peer.call("grow", nonce)
        while True:
            await peer.until("notifications/tools/list_changed")
            tools = (await peer.request("tools/list"))["result"]["tools"]
            if f"grown-{nonce}" in {tool["name"] for tool in tools}:
                return


async def follows_a_resource(peer: Peer, nonce: str) -> None:
    uri = f"matrix://{nonce}"
    async with peer.told_of(resourceSubscriptions=[uri]):
        if not peer.is_stateless:
            assert (await peer.request("resources/subscribe", uri=uri))["result"] == {}
        updated = asyncio.ensure_future(peer.until("notifications/resources/updated", uri=uri))
        await peer.call("touch", nonce)
        await updated


OPERATIONS: dict[str, Callable[[Peer, str], Awaitable[None]]] = {
    "list": lists,
    "call": calls,
    "progress": reports_progress,
    "cancel": cancels,
    "error": fails,
    "structured": is_structured,
    "image": shows_an_image,
    "elicitation": is_asked,
    "sampling": is_sampled,
    "list_changed": is_told_of_tools,
    "subscribe": follows_a_resource,
}
CELLS = [
    Cell(client, server, transport, operation)
    for server in VERSIONS
    for transport in TRANSPORTS
    for client in VERSIONS
    for operation in OPERATIONS
]


@contextmanager
def serving(stack: Stack, version: str, transport: str) -> Iterator[str]:
    """The slug of a server that runs behind the endpoint."""
    remote = RemoteServer("matrix.py", version, transport, path="/sse" if transport == "sse" else "/mcp")
    fields = {"command": sys.executable, "args": [str(SERVERS / "matrix.py"), version, "stdio"]}
    if transport != "stdio":
        fields = {"connection_type": transport, "url": remote.start().url, "command": "", "args": []}
    try:
        server = stack.server(f"Matrix {version} {transport}", asks_back=version != STATELESS, **fields)
        yield server.slug
        with stack.database():
            actions.delete(MCPTool.objects.get(pk=server.pk), by=BY)
    finally:
        remote.kill()


async def outcomes(url: str, key: str, cells: list[Cell]) -> dict[Cell, str]:
    """What each cell failed with, "" if it did not: all of them run at once."""
    async with AsyncExitStack() as stack:
        peers: dict[tuple[str, bool], Peer] = {}
        for client, asking in {(cell.client, cell.operation in ASKING) for cell in cells}:
            peers[client, asking] = await stack.enter_async_context(
                connected(url, key, client, **(ASKABLE if asking else {}))
            )
        errors = await asyncio.gather(
            *(outcome(cell.operation, peers[cell.client, cell.operation in ASKING]) for cell in cells)
        )
    return dict(zip(cells, errors, strict=True))


async def outcome(operation: str, peer: Peer) -> str:
    try:
        async with asyncio.timeout(DEADLINE_S):
            await OPERATIONS[operation](peer, peer.nonce())
    except Exception as error:  # noqa: BLE001 - it is told with its cell
        return f"{type(error).__name__}: {error}"[:500]
    return ""


@pytest.fixture(scope="module")
def manager(stack: Stack) -> str:
    return stack.key("Matrix", can_manage=True, can_call_assistant=False).key


def prove(stack: Stack, manager: str, slug: str, cells: list[Cell]) -> None:
    found = asyncio.run(outcomes(f"{stack.url}/mcp/s/{slug}", manager, cells))
    wrong = [f"{cell}: {error}" for cell, error in found.items() if error]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_client_does_everything_with(stack: Stack, manager: str, version: str, transport: str) -> None:
    cells = [
        cell
        for cell in CELLS
        if (cell.server, cell.transport) == (version, transport) and not cell.impossible
    ]
    with serving(stack, version, transport) as slug:
        prove(stack, manager, slug, cells)


@pytest.mark.parametrize(("version", "transport"), [("2025-11-25", "stdio"), (STATELESS, "streamable_http")])
def test_clients_of_both_eras_do_the_most_usual_with(
    stack: Stack, manager: str, version: str, transport: str
) -> None:
    clients = ("2025-11-25", STATELESS)
    cells = [Cell(client, version, transport, operation) for client in clients for operation in HEART]
    with serving(stack, version, transport) as slug:
        prove(stack, manager, slug, cells)


def test_calls_of_one_client_are_asked_at_once(stack: Stack, manager: str) -> None:
    """Over stdio no server can say which call a question belongs to."""
    cells = [Cell("2025-11-25", "2025-11-25", "stdio", operation) for operation in ASKING]
    with serving(stack, "2025-11-25", "stdio") as slug:
        for _ in range(8):
            prove(stack, manager, slug, cells)


def test_the_matrix_has_500_cells() -> None:
    assert sum(not cell.impossible for cell in CELLS) > 500
