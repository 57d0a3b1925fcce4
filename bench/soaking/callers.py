"""The callers of a soak: each sends its requests in turn, on a connection that it changes now and then."""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.loading.http import Connection, request
from bench.loading.loads import TEXT
from bench.loading.targets import Ask
from bench.soaking.requests import Invalid, Kind

REQUESTS_A_CONNECTION = 50
"""Then a caller connects anew, and a client of MCP ends its session and opens another."""
INVALID_EVERY_S = 10.0
RESTS_S = 1.0
_numbers = itertools.count(1)


@dataclass(slots=True)
class Told:
    """What callers of one kind have got. `waits` are seconds of right answers; each error is a text."""

    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def ask_for_ever(port: int, headers: Mapping[str, str], kind: Kind, told: Told) -> None:
    """Runs until it is cancelled. What goes wrong is told, and asking goes on."""
    while True:
        try:
            await _ask_on_one_connection(port, headers, kind, told)
        except (OSError, EOFError, ValueError, KeyError) as error:
            told.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(RESTS_S)


async def ask_invalid_for_ever(
    port: int, headers: Mapping[str, str], invalid: Sequence[Invalid], told: Told
) -> None:
    """Sends an invalid request every 10 s. Another status than it must get is an error."""
    anonymous = {name: value for name, value in headers.items() if name != "authorization"}
    for each in itertools.cycle(invalid):
        began = time.monotonic()
        connection = Connection(port)
        try:
            answer = await connection.exchange(_bytes(each.ask, headers if each.has_key else anonymous))
            if answer.status == each.status:
                told.waits.append(answer.took_s)
            else:
                told.errors.append(
                    f"{each.name}: {answer.status} and not {each.status}, {answer.body[:300]!r}"
                )
        except (OSError, EOFError, ValueError) as error:
            told.errors.append(f"{each.name}: {type(error).__name__}: {error}")
        finally:
            connection.close()
        await asyncio.sleep(INVALID_EVERY_S - (time.monotonic() - began))


async def _ask_on_one_connection(port: int, headers: Mapping[str, str], kind: Kind, told: Told) -> None:
    connection, own = Connection(port), dict(headers)
    try:
        if opening := kind.asks[0].opening:
            own |= await _open_session(connection, kind.asks[0], opening, headers)
        for ask in itertools.islice(itertools.cycle(kind.asks), REQUESTS_A_CONNECTION):
            await _ask(connection, ask, own, kind, told)
            await asyncio.sleep(kind.pause_s)
        if "mcp-session-id" in own:
            await connection.exchange(_bytes(Ask("DELETE", kind.asks[0].path), own))
    finally:
        connection.close()


async def _open_session(
    connection: Connection, ask: Ask, opening: bytes, headers: Mapping[str, str]
) -> dict[str, str]:
    answer = await connection.exchange(_bytes(Ask("POST", ask.path, opening), headers))
    if not (session := answer.header(b"mcp-session-id")):
        raise ValueError(f"no session: {answer.status} {answer.body[:300]!r}")
    return {"mcp-session-id": session.decode()}


async def _ask(connection: Connection, ask: Ask, headers: Mapping[str, str], kind: Kind, told: Told) -> None:
    text = f"t{next(_numbers):012}".encode()
    answer = await connection.exchange(_bytes(ask, headers).replace(TEXT.encode(), text, 1))
    if kind.is_right(answer.status, answer.body, text):
        told.waits.append(answer.took_s)
    else:
        told.errors.append(f"{ask.path}: {answer.status} {answer.body[:300]!r}")


def _bytes(ask: Ask, headers: Mapping[str, str]) -> bytes:
    return request(ask.method, ask.path, dict(headers), ask.body)
