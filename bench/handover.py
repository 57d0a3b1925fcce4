"""A planned handover: a worker gets SIGTERM under load, and another one takes over its servers."""

import asyncio
import time
from collections.abc import Sequence

from assistants import actions
from assistants.actions import ToolUse
from bench.figures import Figure
from bench.scene import (
    calling,
    owner_of,
    seconds_until_replaced,
    start_servers,
    start_worker,
    wait_for_workers,
)
from bench.web import BY, Caller, start_web
from connector.client import calls
from connector.errors import CallFailed
from tests.chaos.victims import Victim
from tests.chaos.world import World
from tools.models import MCPTool

SERVERS, ROUNDS = 4, 10
CALLS_A_SECOND, CHATS_A_SECOND = 20, 5
CALL_WITHIN_S = 30.0


def measure(world: World) -> list[Figure]:
    start_worker(world)
    servers = start_servers(world, SERVERS)
    start_worker(world)
    load, chats = Calls(servers), Chats(servers, start_web(world))
    took = calling(lambda: _rounds(world, load, chats))
    return [
        Figure("SIGTERM to every tool usable at another worker", took, goal=3.5),
        *load.figures("call"),
        *chats.figures("chat with one call"),
    ]


async def _rounds(world: World, load: "Calls", chats: "Chats") -> list[float]:
    running = asyncio.gather(load.run(), chats.run())
    took = []
    for _ in range(ROUNDS):
        victim = await asyncio.to_thread(owner_of, world, load.servers[0])
        took.append(await seconds_until_replaced(load.servers, victim.terminate))
        await asyncio.to_thread(_restart, world, victim)
    load.ended.set()
    chats.ended.set()
    await running
    return took


def _restart(world: World, victim: Victim) -> None:
    victim.wait(timeout_s=30)
    victim.start()
    wait_for_workers(world)


class Load:
    """Uses the servers in turn, `a_second` times a second."""

    a_second: int

    def __init__(self, servers: Sequence[int]) -> None:
        self.servers = servers
        self.took: list[float] = []
        self.failed = 0
        self.ended = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            number = 0
            while not self.ended.is_set():
                group.create_task(self._timed(number % len(self.servers)))
                number += 1
                await asyncio.sleep(1 / self.a_second)

    async def _timed(self, number: int) -> None:
        began = time.monotonic()
        self.failed += not await self.use(number)
        self.took.append(time.monotonic() - began)

    async def use(self, number: int) -> bool:
        """Uses the server with this number. Returns whether that worked."""
        raise NotImplementedError

    def figures(self, what: str) -> list[Figure]:
        failed = f"Failed of {len(self.took)} in {ROUNDS} handovers, each a {what} (goal 0)"
        return [
            Figure(f"A {what}, over {ROUNDS} handovers ({self.a_second} a second)", self.took),
            Figure(failed, [self.failed], "times"),
        ]


class Calls(Load):
    a_second = CALLS_A_SECOND

    async def use(self, number: int) -> bool:
        try:
            await calls.call(self.servers[number], "pid", {}, timeout_s=CALL_WITHIN_S)
        except CallFailed:
            return False
        return True


class Chats(Load):
    """Whole chats through a web process, each with one call of a tool. An answer without it has failed."""

    a_second = CHATS_A_SECOND

    def __init__(self, servers: Sequence[int], caller: Caller) -> None:
        super().__init__(servers)
        self.caller = caller
        keys = [caller.key.api_key]
        for server in MCPTool.objects.filter(pk__in=servers).order_by("pk"):
            use = ToolUse(server, ["pid"], [])
            actions.create(
                by=BY, name=f"Handover {server.pk}", slug=f"handover-{server.pk}", tools=[use], api_keys=keys
            )

    async def use(self, number: int) -> bool:
        body = {
            "model": f"handover-{self.servers[number]}",
            "messages": [{"role": "user", "content": "What is the pid?"}],
            "tool_choice": "required",
        }
        try:
            answer = await asyncio.to_thread(self.caller.post, "/v1/chat/completions", body)
        except OSError:
            return False
        called = answer["choices"][0]["message"]["mcp_connector"]["tool_calls"]
        return [each["status"] for each in called] == ["ok"]
