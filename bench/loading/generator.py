"""Closed-loop load: each of so many callers sends its next request when the one before is answered."""

import asyncio
import gc
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.loading.http import Connection, request
from bench.loading.loads import TEXT, Load
from bench.loading.targets import Ask, Target

STAGGER_S = 0.02
_numbers = itertools.count(1)


@dataclass(slots=True)
class Sample:
    """What was measured of a load at so many callers. Of `errors` each is a text; times are in seconds."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: "Sample") -> "Sample":
        kinds = {**self.spent, **other.spent}
        spent = {kind: self.spent.get(kind, 0.0) + other.spent.get(kind, 0.0) for kind in kinds}
        return Sample(
            self.seconds + other.seconds,
            self.waits + other.waits,
            self.firsts + other.firsts,
            self.errors + other.errors,
            spent,
        )

    @property
    def requests(self) -> int:
        return len(self.waits) + len(self.errors)

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return len(self.waits) / self.seconds if self.seconds else 0.0

    @property
    def cost_ms(self) -> dict[str, float]:
        """CPU-ms a request by kind of process."""
        return {kind: used * 1000 / max(1, self.requests) for kind, used in self.spent.items()}

    def wait_ms(self, percent: float) -> float:
        return percentile(self.waits, percent) * 1000

    def first_ms(self, percent: float) -> float:
        return percentile(self.firsts, percent) * 1000


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that so many percent do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def turn(target: Target, load: Load, callers: int, seconds: float, *, is_warm: bool = False) -> Sample:
    """Loads a target for so long. What lets no caller begin is an error of the sample."""
    warm_up = 0.0 if is_warm else seconds / 4
    try:
        return asyncio.run(drive(target, load, callers=callers, seconds=seconds, warm_up=warm_up))
    except (OSError, EOFError, RuntimeError) as error:
        return Sample(errors=[f"{type(error).__name__}: {error}"])


async def drive(target: Target, load: Load, *, callers: int, seconds: float, warm_up: float) -> Sample:
    """Loads a target, and measures it after `warm_up` seconds. `spent` is what its processes used."""
    asks = target.asks(load)
    connections = [Connection(target.port) for _ in range(callers)]
    try:
        requests = await asyncio.gather(*(_opened(target, asks, each) for each in connections))
        sending = [
            _Caller(load, connection, sent) for connection, sent in zip(connections, requests, strict=True)
        ]
        if warm_up:
            await _send_for(warm_up, sending, Sample())
        return await _measured(target, sending, seconds)
    finally:
        for connection in connections:
            connection.close()


async def _measured(target: Target, callers: "list[_Caller]", seconds: float) -> Sample:
    sample = Sample()
    before = target.spent()
    with _without_collections():
        await _send_for(seconds, callers, sample)
    await asyncio.sleep(target.settles_s)  # what is done in the background counts, too
    sample.spent = _difference(before, target.spent())
    return sample


async def _send_for(seconds: float, callers: "list[_Caller]", sample: Sample) -> None:
    began = time.perf_counter()
    await asyncio.gather(*(caller.send_until(began + seconds, sample) for caller in callers))
    sample.seconds += time.perf_counter() - began


class _Caller:
    def __init__(self, load: Load, connection: Connection, requests: Sequence[bytes]) -> None:
        self._load, self._connection = load, connection
        self._requests: Iterator[bytes] = itertools.cycle(requests)
        self._mark = load.counted if load.is_streamed else b""

    async def send_until(self, end: float, sample: Sample) -> None:
        """Sends at least one request. An error is counted, and the next request goes on."""
        while True:
            await self._send(sample)
            if time.perf_counter() >= end:
                return

    async def _send(self, sample: Sample) -> None:
        text = f"t{next(_numbers):012}".encode()
        sent = next(self._requests).replace(TEXT.encode(), text, 1)
        try:
            answer = await self._connection.exchange(sent, self._mark)
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            sample.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(STAGGER_S)
            return
        if answer.status == 200 and self._load.is_right(answer.body, text):
            sample.waits.append(answer.took_s)
            sample.firsts.append(answer.first_s)
        else:
            sample.errors.append(f"{answer.status}: {answer.body[:300].decode(errors='replace')}")


async def _opened(target: Target, asks: Sequence[Ask], connection: Connection) -> list[bytes]:
    """Returns the requests of one caller, with the session that an MCP endpoint has given it."""
    return [await _bytes(target, ask, connection) for ask in asks]


async def _bytes(target: Target, ask: Ask, connection: Connection) -> bytes:
    headers = dict(target.headers)
    if ask.opening:
        answer = await connection.exchange(request("POST", ask.path, headers, ask.opening))
        if answer.status != 200:
            raise RuntimeError(f"{target.name} opens no session: {answer.status} {answer.body.decode()}")
        if session := answer.header(b"mcp-session-id"):
            headers["mcp-session-id"] = session.decode()
    return request(ask.method, ask.path, headers, ask.body)


def _difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {kind: after[kind] - before[kind] for kind in after}


@contextmanager
def _without_collections() -> Iterator[None]:
    """Python's collector would pause all callers at once."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
