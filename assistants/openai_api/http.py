"""The two kinds of answer: JSON, and a stream of server-sent events."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse

STARTED = b""
"""The first item of a generator for `event_stream`: it says that the answer begins, and is not sent."""


def json_response(
    body: Mapping[str, Any] | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Returns an answer of JSON, or of what is JSON already."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    response = HttpResponse(content, content_type="application/json", status=status)
    response.headers["cache-control"] = "no-store"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


class EventStream(StreamingHttpResponse):
    """Passes its generator to Django's handler as it is.

    Django's own response wraps it in two more, neither of which closes it in turn: a caller who leaves would
    not cancel the run.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(events, content_type="text/event-stream")
        for name, value in (headers or {}).items():
            self.headers[name] = value
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"  # nginx would hold the events back
        self.events = events

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self.events


async def event_stream(events: AsyncGenerator[bytes, None]) -> EventStream:
    """Runs `events` to its first item, STARTED, and answers with the rest of it.

    What `events` raises before that is raised here, while the answer can still have another status.
    """
    # A generator that has begun is closed by the event loop even if nobody ever reads the response, as when a
    # caller leaves before its headers are sent. One that has not begun would leave its run behind.
    await anext(events)
    return EventStream(events)
