"""A response's events as server-sent events: `event` is always the type of what follows."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

import orjson

from assistants.events import Event
from assistants.openai_api.relay import Relay
from assistants.openai_api.responses.answer import WireEvent
from assistants.openai_api.responses.prepare import Work
from assistants.openai_api.sse import HEARTBEAT


def frames(events: Iterable[WireEvent]) -> bytes:
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n" for event in events
    )


async def stream(
    work: Work,
    run: AsyncGenerator[Event, None],
    keep: Callable[[], Awaitable[None]],
    *,
    heartbeat_s: float,
) -> AsyncGenerator[bytes, None]:
    """What the run raises before its first event is raised here; later it is told in the stream.

    `keep` is awaited before the caller is told of the end. Closing the generator closes the run.
    """
    relay = Relay(run)
    try:
        first = await relay.take()
        yield frames(work.begin())
        async for events in _told(relay, work, first, heartbeat_s):
            if events and work.answer.is_over:
                await keep()
            yield frames(events) or HEARTBEAT
    finally:
        await relay.close()


async def _told(
    relay: Relay, work: Work, events: list[Event] | None, heartbeat_s: float
) -> AsyncGenerator[list[WireEvent], None]:
    """None at a time: the run was silent for so long."""
    try:
        while events is not None:
            told = [each for event in events for each in work.answer.take(event)]
            if told or not events:
                yield told
            events = await relay.take(heartbeat_s)
    except Exception as error:  # noqa: BLE001 - the answer has begun: all that is left is to say so in it
        yield work.answer.fail(error)
