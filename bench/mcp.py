"""The MCP endpoint under load: calls over stdio and over HTTP, and lists of 200 tools, by plain clients."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from bench.chat import of_load
from bench.figures import Figure
from bench.loading import product
from bench.loading.loads import BY_KEY
from bench.web import BY, start_program
from config.runner.network import accepts, free_port
from tests.chaos.world import ROOT, World, wait_for
from tools import actions

LOADS = ("call-stdio", "call-http", "list-200")
BY_SDK = ["-P", str(ROOT / "bench" / "mcp_echo.py")]
ALONE, ALONE_TURNS = 50, 10
SELDOM, SELDOM_TURNS, PAUSE_S = 10, 8, 0.05
"""A caller who pauses, as a model would think: then the processor's caches hold nothing of a call."""
TIMES_DIRECT = 1.5


@dataclass(frozen=True, slots=True)
class Alone:
    """How one caller calls. `pause_s`: before each call."""

    name: str
    calls: int
    turns: int
    pause_s: float = 0.0


def measure(world: World) -> Iterator[Figure]:
    """Yields processor time for each request of all our processes, and what one caller waits."""
    behind = product.start_behind(world)
    sdk = free_port()
    product.allow(sdk)
    command = [sys.executable, *BY_SDK, str(sdk)]
    start_program(world, "mcp_echo", command, is_ready=lambda: accepts(sdk))
    made = product.start(world, behind)
    url = f"http://127.0.0.1:{sdk}/mcp"
    actions.register(by=BY, name="echo-sdk", connection_type="streamable_http", url=url)
    wait_for(product.all_run, within_s=60, what="all servers run")
    for key in LOADS:
        yield from of_load(made, BY_KEY[key])
    for how in (Alone("in a row", ALONE, ALONE_TURNS), Alone("now and then", SELDOM, SELDOM_TURNS, PAUSE_S)):
        yield from _compared(
            how, asyncio.run(_alone(f"http://127.0.0.1:{made.port}", made.headers, url, how))
        )


def _compared(how: Alone, alone: dict[str, list[float]]) -> Iterator[Figure]:
    (_, direct), *others = alone.items()
    for name, took in alone.items():
        yield Figure(f"call by the SDK's client {name}, one caller, {how.name}", took, "ms")
    for name, took in others:
        # Turn by turn: what else the machine does slows both of one turn down.
        times = [ours / theirs for ours, theirs in zip(took, direct, strict=True)]
        told = f"call by the SDK's client {name}, {how.name}"
        yield Figure(told, times, "times as long as directly", TIMES_DIRECT)


async def _alone(web: str, sent: dict[str, str], echo_url: str, how: Alone) -> dict[str, list[float]]:
    """Returns what one caller with the SDK's client waits, in ms: medians of turns that alternate."""
    headers = {"authorization": sent["authorization"]}
    async with AsyncExitStack() as stack:
        sessions = {
            name: await stack.enter_async_context(_session(url, headers))
            for name, url in (
                ("directly to the SDK's server", echo_url),
                ("through us to the same", f"{web}/mcp/s/echo-sdk"),
                ("through us to a server over stdio", f"{web}/mcp/s/echo-stdio"),
            )
        }
        took: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(how.turns):
            for name, session in sessions.items():
                took[name].append(await _median_ms(session, how))
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


async def _median_ms(session: ClientSession, how: Alone) -> float:
    took = []
    for number in range(how.calls):
        await asyncio.sleep(how.pause_s)
        began = time.perf_counter()
        await session.call_tool("echo7", {"text": str(number)})
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
