"""The two kinds of answer: JSON, and a stream of server-sent events."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse


def json_response(
    body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    response = HttpResponse(orjson.dumps(body), content_type="application/json", status=status)
    response.headers["cache-control"] = "no-store"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


class EventStream(StreamingHttpResponse):
    """Hands out its generator as it is: Django's own wraps it in two more, which do not close it in turn."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, content_type="text/event-stream")
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"  # nginx would hold the events back
        self.events = events

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self.events


async def event_stream(events: AsyncGenerator[bytes, None]) -> EventStream:
    """Waits for the first event: what `events` raises before it is raised here, with no byte sent yet."""
    return EventStream(_resumed(await anext(events), events))


async def _resumed(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event
