"""Subscriptions of one session to resources: one for each URI at the server, for any number of listeners."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mcp import MCPError
from mcp.client.subscriptions import SubscriptionLost, listen

from connector.errors import CallFailed, ServerError
from connector.events import Event
from connector.session import outcomes
from connector.session.wire_session import WireSession
from core.message import Message

MOST_URIS = 256
RESUBSCRIBE_S = 2.0
UNSUBSCRIBE_S = 5.0


class _Held:
    """A subscription at the server, which a task of its own holds until `unused`."""

    def __init__(self) -> None:
        self.listeners: set[Event] = set()
        self.unused = Event()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def report(self) -> None:
        for listener in self.listeners:
            listener.set()

    def fail(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # perhaps nobody waits for it any more


class ResourceUpdates:
    """`is_modern`: changes are listened to, on a stream for each URI, instead of subscribed to."""

    def __init__(self, mcp: WireSession) -> None:
        self._mcp = mcp
        self._held: dict[str, _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def listening(self, uri: str, *, is_modern: bool) -> AsyncIterator[Event]:
        """Yields an event that is set whenever the server reports the resource, or a part of it, as updated.

        Raises ServerError, CallFailed and SessionLost.
        """
        held = self._held.get(uri) or self._begin(uri, is_modern=is_modern)
        updated = Event()
        held.listeners.add(updated)
        try:
            await asyncio.shield(held.ready)
            yield updated
        finally:
            held.listeners.discard(updated)
            if not held.listeners:
                self._release(uri, held, is_modern=is_modern)

    def report(self, uri: str) -> None:
        """Called for each `notifications/resources/updated`, which may name a part of a resource."""
        for subscribed, held in self._held.items():
            if uri == subscribed or uri.startswith(subscribed.rstrip("/") + "/"):
                held.report()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, uri: str, *, is_modern: bool) -> _Held:
        if len(self._held) >= MOST_URIS:
            message = Message("Too many resources of this server are subscribed to.")
            raise CallFailed("overloaded", message)
        held = self._held[uri] = _Held()
        held.task = asyncio.create_task(self._hold(uri, held, self._last.get(uri), is_modern=is_modern))
        self._tasks.add(held.task)
        held.task.add_done_callback(self._tasks.discard)
        return held

    def _release(self, uri: str, held: _Held, *, is_modern: bool) -> None:
        held.unused.set()
        if self._held.get(uri) is held:
            del self._held[uri]
        if held.task is not None:
            # The next subscription to it waits: else the server might unsubscribe what was just subscribed.
            self._last[uri] = held.task
            held.task.add_done_callback(lambda task: self._forget(uri, task))
            if is_modern:
                held.task.cancel()

    def _forget(self, uri: str, task: asyncio.Task[None]) -> None:
        if self._last.get(uri) is task:
            del self._last[uri]

    async def _hold(self, uri: str, held: _Held, last: asyncio.Task[None] | None, *, is_modern: bool) -> None:
        if last is not None:
            await asyncio.wait([last])
        try:
            await (self._listen(uri, held) if is_modern else self._subscribe(uri, held))
        except MCPError as error:
            held.fail(_failure(error))
        except CallFailed as failure:
            held.fail(failure)

    async def _subscribe(self, uri: str, held: _Held) -> None:
        await self._mcp.send_wire("resources/subscribe", {"uri": uri})
        held.ready.set_result(None)
        await held.unused.wait()
        with suppress(MCPError, TimeoutError):
            async with asyncio.timeout(UNSUBSCRIBE_S):
                await self._mcp.send_wire("resources/unsubscribe", {"uri": uri})

    async def _listen(self, uri: str, held: _Held) -> None:
        """Listens again and again: a stream may end, and does not resume."""
        while True:
            with suppress(SubscriptionLost):
                async with listen(self._mcp, resource_subscriptions=[uri]) as subscription:
                    if not subscription.honored.resource_subscriptions:
                        message = Message("The server does not report updates of this resource.")
                        raise CallFailed("refused", message)
                    if held.ready.done():  # updates may have been lost meanwhile
                        held.report()
                    else:
                        held.ready.set_result(None)
                    async for _ in subscription:
                        held.report()
            await asyncio.sleep(RESUBSCRIBE_S)


def _failure(error: MCPError) -> Exception:
    try:
        outcomes.require_session(error)
    except Exception as failure:  # noqa: BLE001 - SessionLost and CallFailed, for the one who listens
        return failure
    return ServerError(error.code, error.message, error.data)
