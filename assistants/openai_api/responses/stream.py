"""A response's events as server-sent events: `event` is always the type of what follows."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import orjson

from assistants.events import Event
from assistants.openai_api.responses.output import ResponseEvent
from assistants.openai_api.responses.prepare import PreparedResponse


class ResponseStream:
    """Renders a run's events as those of its response, for `sse.stream`."""

    def __init__(self, prepared: PreparedResponse, save: Callable[[], Awaitable[None]]) -> None:
        self._prepared = prepared
        self._save = save

    def begin(self) -> bytes:
        return frames(self._prepared.begin())

    async def render(self, events: Sequence[Event]) -> bytes:
        return await self._frames([each for event in events for each in self._prepared.answer.render(event)])

    async def fail(self, error: Exception) -> bytes:
        return await self._frames(self._prepared.answer.fail(error))

    def end(self) -> bytes:
        return b""  # the response's own last event ends the stream

    async def _frames(self, events: Sequence[ResponseEvent]) -> bytes:
        if events and self._prepared.answer.is_over:
            # Before the caller has the last event: it may go on from the response at once.
            await self._save()
        return frames(events)


def frames(events: Iterable[ResponseEvent]) -> bytes:
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n" for event in events
    )
