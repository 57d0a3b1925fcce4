"""A response's events as server-sent events: `event` is always the type of what follows."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import orjson

from assistants.events import Event
from assistants.openai_api.responses.answer import WireEvent
from assistants.openai_api.responses.prepare import Work


class ResponseStream:
    """Renders a run's events as those of its response, for `sse.stream`."""

    def __init__(self, work: Work, save: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._save = save

    def begin(self) -> bytes:
        return frames(self._work.begin())

    async def render(self, events: Sequence[Event]) -> bytes:
        return await self._frames([each for event in events for each in self._work.answer.take(event)])

    async def fail(self, error: Exception) -> bytes:
        return await self._frames(self._work.answer.fail(error))

    def end(self) -> bytes:
        return b""  # the response's own last event ends the stream

    async def _frames(self, events: Sequence[WireEvent]) -> bytes:
        if events and self._work.answer.is_over:
            # Before the caller has the last event: it may go on from the response at once.
            await self._save()
        return frames(events)


def frames(events: Iterable[WireEvent]) -> bytes:
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n" for event in events
    )
