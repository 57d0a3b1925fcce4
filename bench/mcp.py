"""The MCP endpoint under load: calls over stdio and over HTTP, and lists of 200 tools, by plain clients."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import orjson
from django.conf import settings
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

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

# -P: this module, beside the script, would hide the package mcp.
ECHO = ["-P", str(ROOT / "bench" / "mcp_echo.py")]
CALLERS, REQUESTS, WARM_UP, TURNS = 16, 3000, 300, 3
ALONE, ALONE_TURNS = 50, 10
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
    port, sdk_port = free_port(), free_port()
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}", f"127.0.0.1:{sdk_port}"]
    os.environ["ALLOWED_PRIVATE_HOSTS"] = ",".join(settings.ALLOWED_PRIVATE_HOSTS)  # for the worker
    start_worker(world)
    web = start_web(world)
    actions.register(by=BY, name="echo-stdio", connection_type="stdio", command=sys.executable, args=ECHO)
    for name, own_port in (("http", port), ("sdk", sdk_port)):
        _register(world, name, own_port)
    wait_for(_all_run, within_s=60, what="all servers run")
    for name in ("stdio", "http"):
        scene = Scene(world, web, f"echo-{name}")
        yield from _load(scene, f"tools/call over {name}", Client.echo, CALL_MS)
    yield from _load(Scene(world, web, "echo-stdio"), "tools/list of 200", Client.tools, LIST_MS)
    alone = asyncio.run(_alone(web, f"http://127.0.0.1:{sdk_port}/mcp"))
    (_, direct), *others = alone.items()
    for name, took in alone.items():
        yield Figure(f"call by the SDK's client {name}, one caller", took, "ms")
    for name, took in others:
        # Turn by turn: what else the machine does slows both of one turn down.
        times = [ours / theirs for ours, theirs in zip(took, direct, strict=True)]
        yield Figure(f"call by the SDK's client {name}", times, "times as long as directly", TIMES_DIRECT)


def _register(world: World, name: str, port: int) -> None:
    """Starts a server over HTTP, and registers it."""
    program = Program("mcp_echo", [sys.executable, *ECHO, f"--{name}", str(port)], cwd=ROOT, env={})
    echo = Victim("mcp_echo", lambda: program, world.folder / f"echo-{name}.log")
    world.helpers.append(echo)
    echo.start()
    url = f"http://127.0.0.1:{port}/mcp"
    actions.register(by=BY, name=f"echo-{name}", connection_type="streamable_http", url=url)


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


async def _alone(web: Caller, echo_url: str) -> dict[str, list[float]]:
    """Returns what one caller with the SDK's client waits, in ms: medians of turns that alternate."""
    headers = {"authorization": f"Bearer {web.key.key}"}
    async with AsyncExitStack() as stack:
        sessions = {
            name: await stack.enter_async_context(_session(url, headers))
            for name, url in (
                ("directly to the SDK's server", echo_url),
                ("through us to the same", f"{web.url}/mcp/s/echo-sdk"),
                ("through us to a server over stdio", f"{web.url}/mcp/s/echo-stdio"),
            )
        }
        took: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(ALONE_TURNS):
            for name, session in sessions.items():
                took[name].append(await _median_ms(session))
        return took


@asynccontextmanager
async def _session(url: str, headers: dict[str, str]) -> AsyncIterator[ClientSession]:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        yield session


async def _median_ms(session: ClientSession) -> float:
    took = []
    for number in range(ALONE):
        began = time.perf_counter()
        await session.call_tool("echo7", {"text": str(number)})
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
