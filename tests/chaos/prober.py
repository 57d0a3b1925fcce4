"""The prober calls a tool of each MCP server all the time, as a web process would, and notes the outcome."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any

from connector.client import calls
from connector.errors import CallFailed
from core import feed

TIMEOUT_S = 5.0
PAUSE_S = 0.25
LATE_AFTER_S = 2.0 + 3.0  # the grace of `calls.call` beyond the deadline, and what a busy machine needs


@dataclass(frozen=True, slots=True)
class Probe:
    """`outcome` is empty when the answer was right."""

    server_id: int
    asked: float
    took_s: float
    outcome: str


class Prober(threading.Thread):
    """`faults` are outcomes that must never happen: a wrong or late answer, or an unexpected exception."""

    def __init__(self, server_ids: Collection[int], *, pause_s: float = PAUSE_S) -> None:
        super().__init__(name="prober", daemon=True)
        self.probes: list[Probe] = []
        self.faults: list[str] = []
        self._server_ids = server_ids
        self._pause_s = pause_s
        self._tokens = count()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()

    def run(self) -> None:
        self._loop.run_until_complete(self._probe())
        self._loop.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join()

    def ask(
        self, server_id: int, function: str, timeout_s: float, **arguments: Any
    ) -> "concurrent.futures.Future[Probe]":
        """Makes one more call, from any thread."""
        return asyncio.run_coroutine_threadsafe(
            self._ask(server_id, function, timeout_s, arguments), self._loop
        )

    def answered_since(self, moment: float) -> set[int]:
        """Returns the servers that answered a call made after that moment (`time.monotonic()`)."""
        return {probe.server_id for probe in self.probes if not probe.outcome and probe.asked > moment}

    async def _probe(self) -> None:
        async with feed.listening(), calls.lifespan():
            tasks = [asyncio.create_task(self._probe_for_ever(server_id)) for server_id in self._server_ids]
            await self._ended.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe_for_ever(self, server_id: int) -> None:
        while True:
            token = f"{server_id}-{next(self._tokens)}"
            self.probes.append(await self._ask(server_id, "echo", TIMEOUT_S, {"token": token}))
            await asyncio.sleep(self._pause_s)

    async def _ask(self, server_id: int, function: str, timeout_s: float, arguments: dict[str, Any]) -> Probe:
        asked = time.monotonic()
        outcome = await self._outcome(server_id, function, timeout_s, arguments)
        took_s = time.monotonic() - asked
        if took_s > timeout_s + LATE_AFTER_S:
            self.faults.append(f"{function} of server {server_id} ended after {took_s:.1f} s: {outcome}")
        return Probe(server_id, asked, took_s, outcome)

    async def _outcome(
        self, server_id: int, function: str, timeout_s: float, arguments: dict[str, Any]
    ) -> str:
        try:
            result = await calls.call(server_id, function, arguments, timeout_s=timeout_s)
        except CallFailed as failure:
            return failure.code
        except Exception as error:  # noqa: BLE001 - noted as the fault that it is
            self.faults.append(f"{function} of server {server_id} raised {error!r}")
            return type(error).__name__
        if function == "echo" and arguments["token"] not in result.content[0]["text"]:
            self.faults.append(f"server {server_id} was asked {arguments}, the answer was {result.content}")
            return "wrong_answer"
        return ""
