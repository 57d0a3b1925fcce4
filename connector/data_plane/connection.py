"""A worker's end of a connection of one caller: a task for each of its requests. See `wire.frames`."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import orjson
from django.conf import settings

from connector.data_plane.answers import Answer, failed, outcome
from connector.errors import CallFailed
from connector.wire.channel import Channel
from connector.wire.frames import CANCEL, HELLO, LAST, REQUEST, VERSION, BadFrame, content
from connector.wire.token import data_plane_token
from core.message import Message

HELLO_WITHIN_S = 5.0
MOST_REQUESTS = 8192
"""Requests of one caller at once, subscriptions included."""
WAITING_RESULTS = 2
"""Results of the largest size that may wait for a caller who does not read."""

Handler = Callable[[Any, Answer], Awaitable[Any]]
"""Returns the result for a body, which orjson can serialize. Raises CallFailed, ServerError, AskedBack."""


class Connection(Channel):
    """Is in `connections` while it is connected."""

    def __init__(self, handlers: Mapping[str, Handler], connections: set["Connection"]) -> None:
        limit = settings.MCP_RESULT_LIMIT
        super().__init__(message_limit=limit, waiting_limit=WAITING_RESULTS * limit)
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._handlers = handlers
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._impatience: asyncio.TimerHandle | None = None
        self._is_known = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        self._impatience = self._loop.call_later(HELLO_WITHIN_S, self.abort)

    def received(self, kind: int, request: int, payload: bytes | bytearray) -> None:
        if not self._is_known:
            self._greet(kind, payload)
        elif kind == REQUEST:
            self._begin(request, payload)
        elif kind == CANCEL:
            self._cancel(request)

    def too_large(self, request: int) -> None:
        refused = CallFailed("refused", Message("The request is larger than an answer may be."))
        self._fail(request, refused)

    def closed(self) -> None:
        """Nobody waits any more for what is under way."""
        self._connections.discard(self)
        if self._impatience is not None:
            self._impatience.cancel()
        for task in self.tasks.values():
            task.cancel()

    def _greet(self, kind: int, payload: bytes | bytearray) -> None:
        if kind != HELLO:
            raise BadFrame("something before its hello")
        token = str(content(payload).get("token"))
        # As bytes: compare_digest raises TypeError for text that is not ASCII.
        self._is_known = hmac.compare_digest(token.encode(), data_plane_token().encode())
        if not self._is_known:
            self.send(HELLO, 0, orjson.dumps({"version": VERSION, "refused": "token"}))
            self.close()
            return
        if self._impatience is not None:
            self._impatience.cancel()
        self.trust()
        self.send(HELLO, 0, orjson.dumps({"version": VERSION}))

    def _begin(self, request: int, payload: bytes | bytearray) -> None:
        asked = content(payload)
        handler = self._handlers.get(str(asked.get("ask")))
        if request in self.tasks:
            raise BadFrame("a request with the number of another one")
        if len(self.tasks) >= MOST_REQUESTS:
            self._fail(request, CallFailed("overloaded", Message("Too many calls wait for this worker.")))
        elif handler is None:
            told = Message("The worker is of a release that does not know what is asked.")
            self._fail(request, CallFailed("refused", told))
        else:
            task = self.tasks[request] = self._loop.create_task(
                self._work(request, handler, asked.get("body"))
            )
            task.add_done_callback(partial(self._done, request))

    async def _work(self, request: int, handler: Handler, body: Any) -> None:
        self.send(LAST, request, await outcome(handler(body, Answer(self, request))))

    def _fail(self, request: int, failure: CallFailed) -> None:
        self.send(LAST, request, failed(failure))

    def _done(self, request: int, task: asyncio.Task[None]) -> None:
        del self.tasks[request]

    def _cancel(self, request: int) -> None:
        self.forget(request)
        if request in self.tasks:
            self.tasks[request].cancel()
