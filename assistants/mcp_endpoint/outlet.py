"""The answer to one request of a client: JSON, or a stream of events as soon as something comes before it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from starlette.types import Receive, Send

from assistants.mcp_endpoint import messages

HEARTBEAT = b": still working\n\n"
_JSON_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
]
_MOST_WAITING = 1000
"""Messages that wait for a client who does not read; notifications over it are dropped."""

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is a JSON-RPC message, empty for none; `status` and `headers` count where it is no stream.

    `batch`: the messages of a batch, each of which is an event of its own in a stream.
    """

    body: bytes
    status: int = 200
    headers: Headers = ()
    batch: Sequence[bytes] = ()

    @property
    def events(self) -> bytes:
        return b"".join(messages.event(each) for each in self.batch or (self.body,) if each)


class Outlet:
    """Takes messages for the client while a request is being answered.

    `is_held`: they wait until `release`.
    """

    def __init__(self, *, is_held: bool = False) -> None:
        self._waiting: list[bytes] = []
        self._has_news = asyncio.Event()
        self._is_held = is_held

    def put(self, message: bytes) -> None:
        """Sends a notification, or a request of ours, before the answer. It never waits."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(messages.event(message))
            if not self._is_held:
                self._has_news.set()

    def release(self, first: bytes) -> None:
        """Sends a message, and then those that have waited for it."""
        self._waiting.insert(0, messages.event(first))
        self._is_held = False
        self._has_news.set()

    def wake(self, *_: object) -> None:
        self._has_news.set()

    async def taken(self, within_s: float) -> bytes:
        """Returns the events that wait, or b"" after a time or when it was woken."""
        if not self._waiting or self._is_held:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._has_news.wait()
        self._has_news.clear()
        if self._is_held:
            return b""
        events, self._waiting = b"".join(self._waiting), []
        return events


async def answer(work: Callable[[Outlet], Awaitable[Answer]], receive: Receive, send: Send) -> None:
    """Sends what `work` returns. It is cancelled when the client leaves.

    It must not raise; if it is cancelled, by the client's request say, the answer ends without a message.
    """
    outlet = Outlet()
    task = asyncio.ensure_future(work(outlet))
    gone = asyncio.ensure_future(disconnected(receive))
    task.add_done_callback(outlet.wake)
    gone.add_done_callback(outlet.wake)
    try:
        await _send_all(outlet, task, gone, send)
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.wait([task, gone])


async def _send_all(
    outlet: Outlet, task: "asyncio.Future[Answer]", gone: "asyncio.Future[None]", send: Send
) -> None:
    is_stream = False
    while not gone.done():
        events = await outlet.taken(settings.STREAM_HEARTBEAT_S)
        if gone.done():
            return
        if task.done() and not is_stream and not events:
            await _send_whole(task, send)
            return
        if not is_stream:
            await begin_stream(send)
            is_stream = True
        if task.done():
            last = b"" if task.cancelled() else task.result().events
            await send({"type": "http.response.body", "body": events + last})
            return
        await send({"type": "http.response.body", "body": events or HEARTBEAT, "more_body": True})


async def _send_whole(task: "asyncio.Future[Answer]", send: Send) -> None:
    if task.cancelled() or not task.result().body:
        await send_empty(send, 202)
    else:
        await send_json(send, task.result())


async def disconnected(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def begin_stream(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})


async def send_json(send: Send, answer: Answer) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    head = [*_JSON_HEADERS, length, *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.body})


async def send_empty(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
