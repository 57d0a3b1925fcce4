"""A run as a stream of server-sent events (WHATWG HTML, section 9.2), with a heartbeat while it is silent."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

import orjson

from assistants.events import Event
from assistants.openai_api.http import STARTED
from assistants.openai_api.relay import Relay

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": still working\n\n"


class Renderer(Protocol):
    """Turns a run's events into the server-sent events of one API."""

    def begin(self) -> bytes:
        """Returns the events that come before those of the run."""
        ...

    async def render(self, events: Sequence[Event]) -> bytes:
        """Returns b"" where the API has nothing to show of these events."""
        ...

    async def fail(self, error: Exception) -> bytes:
        """Returns the events that end the stream of a failed run."""
        ...

    def end(self) -> bytes:
        """Returns the events that come after those of a run that ended well."""
        ...


async def stream(
    run: AsyncGenerator[Event, None], renderer: Renderer, *, heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    """Yields STARTED once the run has its first event, then the stream; see `http.event_stream`.

    What the run raises before its first event is raised here; later it is rendered as the stream's last
    event. Closing the generator cancels the run.
    """
    relay = Relay(run)
    try:
        first = await relay.next_events()
        yield STARTED
        try:
            yield renderer.begin() + await renderer.render(first or ())
            while (events := await relay.next_events(heartbeat_s)) is not None:
                if piece := await renderer.render(events) if events else HEARTBEAT:
                    yield piece
            if last := renderer.end():
                yield last
        except Exception as error:  # noqa: BLE001 - the status is sent: the stream alone can still report it
            yield await renderer.fail(error)
    finally:
        await relay.close()


def error_event(envelope: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(envelope) + b"\n\n"
