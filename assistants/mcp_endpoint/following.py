"""How the request that subscribes to a resource learns that the session's stream follows it by now.

The stream may be at another process. What the resource's server reports before would be lost.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from assistants.mcp_endpoint import bus
from assistants.mcp_endpoint.sessions import Session

_FOLLOWING = "following"
NOTICED_WITHIN_S = 0.5
"""Without a word by then, no process has a stream of the session."""
_MOST = 4096
SETTLED_WITHIN_S = 3.0
"""For the server, which may be away: it is followed once it is back."""


class _Wait:
    def __init__(self) -> None:
        self.noticed, self.settled = asyncio.Event(), asyncio.Event()


_waits: dict[tuple[str, str], set[_Wait]] = {}
_streamless: set[str] = set()
"""Sessions that had no stream at their last subscription: nobody waits for one again before it begins."""
_sending: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def followed(session: Session, uri: str) -> AsyncIterator[None]:
    """Is left when the stream of the session follows a resource that the block has subscribed to.

    It is left soon where there is no stream, and in any case in time.
    """
    key, wait = (session.name, uri), _Wait()
    _waits.setdefault(key, set()).add(wait)
    try:
        yield
        if session.name in _streamless:
            return
        if await is_set(wait.noticed, within_s=NOTICED_WITHIN_S):
            await is_set(wait.settled, within_s=SETTLED_WITHIN_S)
        else:
            _remember_streamless(session.name)
    finally:
        _waits[key].discard(wait)
        if not _waits[key]:
            del _waits[key]


def stream_begins(session: str) -> None:
    """Is called in every process when a session gets a stream, by its name."""
    _streamless.discard(session)


def _remember_streamless(session: str) -> None:
    if len(_streamless) >= _MOST:
        _streamless.clear()
    _streamless.add(session)


def tell(session: Session, uri: str, *, is_settled: bool) -> None:
    """Says that the session's stream is about to follow a resource, or that this is settled."""
    if _heard(session.name, uri, is_settled=is_settled):
        return
    sending = asyncio.create_task(bus.send(_FOLLOWING, session.name, [uri, is_settled]))
    _sending.add(sending)
    sending.add_done_callback(_sending.discard)


def _heard(session: str, uri: str, *, is_settled: bool) -> bool:
    waits = _waits.get((session, uri), ())
    for wait in waits:
        wait.noticed.set()
        if is_settled:
            wait.settled.set()
    return bool(waits)


async def is_set(event: asyncio.Event, *, within_s: float) -> bool:
    """Waits for an event, for so long. Returns whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    return event.is_set()


bus.receives(_FOLLOWING, lambda session, content: _heard(session, content[0], is_settled=content[1]))
