"""A caller's end of the connection to one worker, which carries all its requests there. See `wire.frames`."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import orjson

from connector.errors import CallFailed
from connector.wire.channel import Channel
from connector.wire.frames import CANCEL, HELLO, INTERIM, LAST, MOST_REQUESTS, REQUEST, VERSION, content
from connector.wire.token import data_plane_token
from core.message import Message

CONNECT_TIMEOUT_S = 3.0

Heed = Callable[[dict[str, Any]], None]
"""Gets each message before the last one."""


class Connection(Channel):
    """`on_closed` is called when nothing can be asked any more."""

    def __init__(self, on_closed: Callable[["Connection"], None]) -> None:
        # The worker has limited each result already, and belongs to us. Answers are always read: what waits
        # here is bounded by the deadlines of those who ask.
        super().__init__(message_limit=sys.maxsize, waiting_limit=sys.maxsize)
        self._on_closed = on_closed
        self._asked: dict[int, _Asked] = {}
        self._last_number = 0
        self._welcome: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def greet(self) -> None:
        """Says who we are. Raises CallFailed where the worker refuses us, and OSError where it is gone."""
        told = {"version": VERSION, "token": data_plane_token()}
        self.send(HELLO, 0, orjson.dumps(told))
        if "refused" in await self._welcome:
            why = Message("The worker does not know this process: both need the same SECRET_KEY.")
            raise CallFailed("server_unavailable", why)
        self.trust()

    def ask(self, name: str, body: Any, heed: Heed) -> asyncio.Future[bytes | bytearray]:
        """Returns the last message to come, as JSON; cancelling it cancels the request.

        It fails with CallFailed `session_lost` when the connection is lost, and with what `heed` raises.
        """
        request = orjson.dumps({"ask": name, "body": body})
        number = self._next_number()
        answer: asyncio.Future[bytes | bytearray] = asyncio.get_running_loop().create_future()
        self._asked[number] = _Asked(answer, heed)
        answer.add_done_callback(partial(self._leave, number))
        self.send(REQUEST, number, request)
        if not self.is_open:
            self.closed()
        return answer

    def received(self, kind: int, request: int, payload: bytes | bytearray) -> None:
        if kind == HELLO and not self._welcome.done():
            self._welcome.set_result(content(payload))
        elif kind == INTERIM:
            self._heed(self._asked[request], content(payload))
        elif kind == LAST and request in self._asked:
            answer = self._asked.pop(request).answer
            if not answer.done():
                answer.set_result(payload)

    def expects(self, request: int) -> bool:
        return request in self._asked or request == 0

    def closed(self) -> None:
        if not self._welcome.done():
            self._welcome.set_exception(ConnectionResetError())
        asked, self._asked = self._asked, {}
        for each in asked.values():
            if not each.answer.done():
                lost = CallFailed("session_lost", Message("The worker ended during the call."))
                each.answer.set_exception(lost)
        self._on_closed(self)

    def _heed(self, asked: "_Asked", message: dict[str, Any]) -> None:
        try:
            asked.heed(message)
        # Whatever a listener of one caller raises is that caller's, and not the connection's.
        except Exception as error:  # noqa: BLE001
            if not asked.answer.done():
                asked.answer.set_exception(error)

    def _leave(self, number: int, _: object) -> None:
        """Cancels a request whose caller wants no answer any more."""
        if self._asked.pop(number, None) is not None:
            self.forget(number)
            self.send(CANCEL, number, b"")

    def _next_number(self) -> int:
        number = self._last_number
        while number in self._asked or number == self._last_number:
            number = number % MOST_REQUESTS + 1
        self._last_number = number
        return number


class _Asked(NamedTuple):
    answer: asyncio.Future[bytes | bytearray]
    heed: Heed


def _ignore(_: object) -> None:
    """For a connection that nobody keeps."""


async def opened(address: str, on_closed: Callable[[Connection], None] = _ignore) -> Connection:
    """Returns a connection to a worker: `address` is the path of its socket, or `host:port`.

    Raises CallFailed: `stale_fence` for a worker that cannot be reached.
    """
    loop, connection = asyncio.get_running_loop(), Connection(on_closed)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if address.startswith("/"):
                await loop.create_unix_connection(lambda: connection, address)
            else:
                host, _, port = address.rpartition(":")
                await loop.create_connection(lambda: connection, host.strip("[]"), int(port))
            await connection.greet()
    except OSError as error:  # TimeoutError, too: a frozen worker accepts connections and says nothing
        connection.abort()
        raise CallFailed("stale_fence", Message("The worker cannot be reached.")) from error
    except BaseException:
        connection.abort()
        raise
    return connection
