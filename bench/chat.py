"""What a chat costs at 16 callers: processor time of all our processes. The LLM answers at once."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
import orjson
from django.conf import settings

from assistants import actions as assistant_actions
from bench import processor
from bench.figures import Figure
from bench.mcp import ECHO
from bench.scene import start_worker
from bench.web import BY, Caller, start_program, start_web
from config.runner.network import free_port
from tests.chaos.world import ROOT, World, wait_for
from tools import actions
from tools.models import MCPTool, Status

CALLERS, WARM_UP = 16, 200
PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Load:
    """`words`: of the user's message. `goal_ms`: CPU-ms of all our processes a request."""

    what: str
    assistant: str
    requests: int
    goal_ms: float
    is_streamed: bool = False
    words: int = 3
    said: str = "word0 "

    @property
    def body(self) -> bytes:
        message = {"role": "user", "content": "hello " * self.words}
        return orjson.dumps({"model": self.assistant, "messages": [message], "stream": self.is_streamed})


LOADS = (
    Load("chat", "chunks-1", 3000, 2.0),
    Load("streamed chat, 20 chunks", "chunks-20", 2000, 2.5, is_streamed=True, said="word19 "),
    Load("chat with one tool over stdio", "tool-stdio", 1000, 6.0),
    Load("chat with one tool over HTTP", "tool-http", 1000, 6.0),
    Load("chat of 400 KB", "chunks-1", 320, 6.0, words=66_000),
)
TURNS = 3


def measure(world: World) -> Iterator[Figure]:
    """Yields processor time a request, and what one caller waits for a chat and its first token."""
    web = start_scene(world)
    for load in LOADS:
        yield from _figures(world, web, load)
    for load in LOADS[:2]:
        yield Figure(f"{load.what}, one caller", asyncio.run(_alone(web, load)), "ms", 3.0)


def start_scene(world: World) -> Caller:
    """Starts a worker, a web process, two servers and an LLM, and makes an assistant for each load."""
    port, llm = free_port(), free_port()
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}", f"127.0.0.1:{llm}"]
    os.environ["ALLOWED_PRIVATE_HOSTS"] = ",".join(settings.ALLOWED_PRIVATE_HOSTS)  # for the processes
    start_worker(world)
    start_program(world, "mcp_echo", [sys.executable, *ECHO, "--http", str(port)])
    start_program(world, "upstream", [sys.executable, "-P", str(ROOT / "bench" / "upstream.py"), str(llm)])
    web = start_web(world)
    _configure(web, f"http://127.0.0.1:{port}/mcp", f"http://127.0.0.1:{llm}/v1")
    wait_for(_all_run, within_s=60, what="all servers run")
    return web


def _configure(web: Caller, server_url: str, llm_url: str) -> None:
    over_stdio = actions.register(
        by=BY, name="echo-stdio", connection_type="stdio", command=sys.executable, args=ECHO
    )
    over_http = actions.register(by=BY, name="echo-http", connection_type="streamable_http", url=server_url)
    provider = assistant_actions.add_provider(
        by=BY, name="Upstream", base_url=llm_url, api_key="none", default_model="chunks-1"
    )
    for slug, model, tools in (
        ("chunks-1", "chunks-1", []),
        ("chunks-20", "chunks-20", []),
        ("tool-stdio", "tool-1", [assistant_actions.ToolUse(over_stdio, ["echo7"])]),
        ("tool-http", "tool-1", [assistant_actions.ToolUse(over_http, ["echo7"])]),
    ):
        assistant_actions.create(
            by=BY,
            name=slug,
            slug=slug,
            model=model,
            provider=provider,
            tools=tools,
            api_keys=[web.key.api_key],
        )


def _all_run() -> bool:
    return not MCPTool.objects.exclude(status=Status.RUNNING).exists()


def _figures(world: World, web: Caller, load: Load) -> Iterator[Figure]:
    turns, rates = [], []
    for _ in range(TURNS):
        used, rate = asyncio.run(_turn(world, web, load))
        turns.append(used)
        rates.append(rate)
    sums = [sum(used.values()) for used in turns]
    parts = ", ".join(f"{kind} {statistics.median(each[kind] for each in turns):.2f}" for kind in turns[0])
    yield Figure(f"{load.what}, {CALLERS} callers ({parts})", sums, "CPU-ms", load.goal_ms)
    yield Figure(f"{load.what}, {CALLERS} callers", rates, "requests a second")


async def _turn(world: World, web: Caller, load: Load) -> tuple[dict[str, float], float]:
    """Returns the processor time in ms by kind of process, and the requests a second."""
    async with _client(web) as http:
        await _send_all(http, load, max(CALLERS, min(WARM_UP, load.requests // 4)))
        before, began = processor.seconds(world), time.perf_counter()
        await _send_all(http, load, load.requests)
        took = time.perf_counter() - began
        await asyncio.sleep(0.6)  # what is recorded in the background counts, too
        return processor.between(before, processor.seconds(world), each=load.requests), load.requests / took


def _client(web: Caller) -> aiohttp.ClientSession:
    headers = {"authorization": f"Bearer {web.key.key}", "content-type": "application/json"}
    return aiohttp.ClientSession(web.url, headers=headers, connector=aiohttp.TCPConnector(limit=0))


async def _send_all(http: aiohttp.ClientSession, load: Load, number: int) -> None:
    async def caller() -> None:
        for _ in range(number // CALLERS):
            await _send(http, load)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def _send(http: aiohttp.ClientSession, load: Load) -> float:
    """Returns the seconds to the first byte of the answer. Raises AssertionError for a wrong one."""
    began = time.perf_counter()
    async with http.post(PATH, data=load.body) as answer:
        first = await answer.content.readany()
        took = time.perf_counter() - began
        whole = (first + await answer.read()).decode()
        assert answer.status == 200, whole  # noqa: S101
        assert load.said in whole  # noqa: S101
        if load.is_streamed:
            assert whole.rstrip().endswith("[DONE]"), whole  # noqa: S101
        return took


async def _alone(web: Caller, load: Load) -> list[float]:
    async with _client(web) as http:
        for _ in range(50):
            await _send(http, load)
        return [await _send(http, load) * 1000 for _ in range(300)]
