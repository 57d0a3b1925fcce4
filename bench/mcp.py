"""The MCP endpoint under load: calls over stdio and over HTTP, and lists of 200 tools, by plain clients."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from django.conf import settings
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import processor
from bench.figures import Figure
from bench.scene import start_worker
from bench.web import BY, Caller, start_web
from config.runner.network import free_port
from config.runner.processes import Program
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World, wait_for
from tools import actions
from tools.models import MCPTool, Status

ECHO = str(ROOT / "bench" / "mcp_echo.py")
CALLERS, REQUESTS, WARM_UP, TURNS = 16, 3000, 300, 3
ALONE = 500
CALL_MS, LIST_MS, TIMES_DIRECT = 4.0, 3.0, 1.5


@dataclass(frozen=True, slots=True)
class Client:
    """One session with the endpoint of a server."""

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]

    async def send(self, method: str, **params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.http.post(self.url, data=orjson.dumps(body), headers=self.headers) as answer:
            return orjson.loads(await answer.read())["result"]

    async def echo(self, text: str) -> None:
        """Raises AssertionError for a wrong answer."""
        answer = await self.send("tools/call", name="echo7", arguments={"text": text})
        assert answer["content"][0]["text"] == text  # noqa: S101

    async def tools(self, _: str) -> None:
        answer = await self.send("tools/list")
        assert len(answer["tools"]) == 200  # noqa: S101


Request = Callable[[Client, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A web process under load, at the endpoint of one server."""

    world: World
    web: Caller
    slug: str


def measure(world: World) -> Iterator[Figure]:
    """Yields processor time for each request of all our processes, and what one caller waits."""
    port = free_port()
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}"]
    os.environ["ALLOWED_PRIVATE_HOSTS"] = f"127.0.0.1:{port}"  # for the worker
    start_worker(world)
    web = start_web(world)
    _register(world, port)
    direct_ms = asyncio.run(_direct_ms())
    yield Figure("call by the SDK alone, one caller", [direct_ms], "ms")
    for name in ("stdio", "http"):
        scene = Scene(world, web, f"echo-{name}")
        yield from _load(scene, f"tools/call over {name}", Client.echo, CALL_MS)
        alone = asyncio.run(_alone_ms(web, f"echo-{name}"))
        yield Figure(f"tools/call over {name}, one caller", alone, "ms", TIMES_DIRECT * direct_ms)
    yield from _load(Scene(world, web, "echo-stdio"), "tools/list of 200", Client.tools, LIST_MS)


def _register(world: World, port: int) -> None:
    program = Program("mcp_echo", [sys.executable, ECHO, "--http", str(port)], cwd=ROOT, env={})
    echo = Victim("mcp_echo", lambda: program, world.folder / "mcp_echo.log")
    world.helpers.append(echo)
    echo.start()
    actions.register(by=BY, name="echo-stdio", connection_type="stdio", command=sys.executable, args=[ECHO])
    url = f"http://127.0.0.1:{port}/mcp"
    actions.register(by=BY, name="echo-http", connection_type="streamable_http", url=url)
    wait_for(_all_run, within_s=60, what="both servers run")


def _all_run() -> bool:
    return not MCPTool.objects.exclude(status=Status.RUNNING).exists()


def _load(scene: Scene, what: str, request: Request, goal_ms: float) -> Iterator[Figure]:
    turns, rates = [], []
    for _ in range(TURNS):
        used, rate = asyncio.run(_turn(scene, request))
        turns.append(used)
        rates.append(rate)
    sums = [sum(used.values()) for used in turns]
    parts = ", ".join(f"{kind} {statistics.median(each[kind] for each in turns):.2f}" for kind in turns[0])
    yield Figure(f"{what}, {CALLERS} callers ({parts})", sums, "CPU-ms", goal_ms)
    yield Figure(f"{what}, {CALLERS} callers", rates, "requests a second")


async def _turn(scene: Scene, request: Request) -> tuple[dict[str, float], float]:
    """Returns the processor time in ms by kind of process, and the requests a second."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = [await _opened(http, scene.web, scene.slug) for _ in range(CALLERS)]
        await _send_all(clients, WARM_UP, request)
        before, began = processor.seconds(scene.world), time.perf_counter()
        await _send_all(clients, REQUESTS, request)
        took = time.perf_counter() - began
        await asyncio.sleep(0.6)  # what is recorded in the background counts, too
        return processor.between(before, processor.seconds(scene.world), each=REQUESTS), REQUESTS / took


async def _send_all(clients: list[Client], number: int, request: Request) -> None:
    async def send(client: Client, index: int) -> None:
        for turn in range(number // len(clients)):
            await request(client, f"{index} {turn}")

    await asyncio.gather(*(send(client, index) for index, client in enumerate(clients)))


async def _opened(http: aiohttp.ClientSession, web: Caller, slug: str) -> Client:
    headers = {
        "authorization": f"Bearer {web.key.key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    url = f"{web.url}/mcp/s/{slug}"
    info = {"name": "bench", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    async with http.post(url, data=body, headers=headers) as answer:
        return Client(http, url, {**headers, "mcp-session-id": answer.headers["mcp-session-id"]})


async def _alone_ms(web: Caller, slug: str) -> list[float]:
    took = []
    async with aiohttp.ClientSession() as http:
        client = await _opened(http, web, slug)
        for number in range(ALONE):
            began = time.perf_counter()
            await client.echo(str(number))
            took.append((time.perf_counter() - began) * 1000)
    return took


async def _direct_ms() -> float:
    """Returns the median of calls by the SDK's own client, to the same server over stdio."""
    echo, took = StdioServerParameters(command=sys.executable, args=[ECHO]), []
    async with stdio_client(echo) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for number in range(ALONE):
            began = time.perf_counter()
            await session.call_tool("echo7", {"text": str(number)})
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
