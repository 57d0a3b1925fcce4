"""HTTP/1.1 as uvicorn speaks it, with the limits that uvicorn lacks (docs/decisions/0021)."""

import asyncio
import contextvars
import logging
from typing import cast

from rest_framework.exceptions import APIException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from config import errors
from config.joined_writes import JoinedWrites
from config.request_ids import HEADER, new_id, request_id
from core.errors import InvalidRequest, RequestTimeout

log = logging.getLogger(__name__)

HEAD_TIMEOUT_S = 20.0
WRITE_TIMEOUT_S = 30.0
HEAD_LIMIT = 64 * 1024  # bytes; what browsers and proxies send is below 16 KiB
_LINGER_S = 2.0
_START = 256  # bytes, of which the path says whose envelope an error gets
_MALFORMED = "This is no HTTP/1.1 request that can be understood (RFC 9112)."


class Protocol(HttpToolsProtocol):
    """Closes connections that send a request's head too slowly or endlessly, or do not read their answer.

    What is no HTTP request is refused in an envelope with a request id. An upgrade, to WebSockets for
    instance, is not made: the request is answered as any other (RFC 9110, section 7.8).

    Of uvicorn 0.54 this overrides callbacks of asyncio and httptools, `send_400_response`,
    `_should_upgrade` and `_unsupported_upgrade_warning`, and it reads `cycle`, `pipeline`, `headers` and
    `url`. None of it is documented: pyproject.toml therefore allows no other minor version.
    """

    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _error: APIException | None = None
    _is_refused = False
    _awaits_head = True
    _head_size = 0  # bytes received of a head that is not complete
    _start = b""  # the first bytes of the present request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport, self.loop)))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._awaits_head:
            self._start_timer()
            self._head_size += len(data)
            self._start = self._start or data[:_START]
        super().data_received(data)
        if self._head_size > HEAD_LIMIT and not self._is_refused:
            self._refuse(_head_too_large())

    def on_headers_complete(self) -> None:
        # Checked here, too, because one read may bring a whole head of up to 256 KiB.
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_LIMIT:
            self._error = _head_too_large()
            raise self._error  # the parser stops, and has uvicorn call send_400_response
        self._stop_timer()
        self._awaits_head, self._head_size = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._awaits_head, self._start = True, b""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._error or InvalidRequest(_MALFORMED, code="malformed_request"))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Logs nothing: some clients offer HTTP/2 with every first request."""

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            return  # a head that comes while the answer to another request is sent holds nothing more
        if self._head_size:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()  # browsers connect ahead of need, and would take 408 for an answer

    def _refuse(self, error: APIException) -> None:
        """Answers with `error` unless that would get into another answer, and closes the connection."""
        cycle: RequestResponseCycle | None = self.cycle
        is_answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if self.pipeline or is_answering:
            self.transport.close()
            return
        self.transport.write(contextvars.copy_context().run(_rendered, self._start, error))
        self._is_refused = True
        # Closed at once, with bytes that were not read, TCP would reset it and the answer would be lost.
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)


def _head_too_large() -> InvalidRequest:
    message = f"The address and the headers of the request are over the limit of {HEAD_LIMIT:,} bytes."
    return InvalidRequest(message, code="headers_too_large", status_code=431)


def _rendered(start: bytes, error: APIException) -> bytes:
    """Returns a whole answer to what began with `start`. Needs a context of its own, for the request id."""
    request_id.set(new_id())
    log.info("A request was refused: %s", error.detail)
    # Of what is no request, the parser may not have given the URL.
    _, path, *_ = (*start.decode("latin-1").split(" ", 2), "", "")
    response = errors.response(path.partition("?")[0], error)
    headers = {
        **response.headers,
        HEADER.decode(): request_id.get(),
        "content-length": str(len(response.content)),
        "connection": "close",
    }
    lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[response.status_code] + lines.encode("latin-1") + b"\r\n" + response.content
