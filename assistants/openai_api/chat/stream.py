"""A run as a stream of server-sent events, with a heartbeat while it is silent."""

from collections.abc import AsyncGenerator

from assistants.events import Event
from assistants.openai_api import errors
from assistants.openai_api.chat.render import Chunks
from assistants.openai_api.relay import Relay
from assistants.openai_api.sse import DONE, HEARTBEAT, error_event


async def stream(
    run: AsyncGenerator[Event, None], chunks: Chunks, *, heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    """What the run raises before its first event is raised here; later it is told as the stream's last event.

    Closing the generator closes the run.
    """
    relay = Relay(run)
    try:
        first = await relay.take()
        yield chunks.role() + b"".join(map(chunks.render, first or ()))
        async for piece in _pieces(relay, chunks, heartbeat_s):
            yield piece
    finally:
        await relay.close()


async def _pieces(relay: "Relay", chunks: Chunks, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    try:
        while (events := await relay.take(heartbeat_s)) is not None:
            if piece := b"".join(map(chunks.render, events)) if events else HEARTBEAT:
                yield piece
        yield DONE
    except Exception as error:  # noqa: BLE001 - the answer has begun: all that is left is to say so in it
        yield error_event(errors.envelope(error))
