"""The answer to one request of the data plane: lines of JSON, see `data_plane.server`."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from connector.errors import AskedBack, CallFailed, ServerError
from connector.host import clock
from connector.wire.results import Progress
from core.message import stored

PROGRESS_A_SECOND = 10
"""Progress that is passed on to the caller; what a server reports beyond it is dropped."""
MOST_WAITING = 256
_LAST = ("result", "error", "server_error", "asked")


class Answer:
    """One line in a plain response; a stream if something comes before the result."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._progressed: deque[float] = deque(maxlen=PROGRESS_A_SECOND)

    def progress(self, progress: Progress) -> None:
        now = clock()
        if len(self._progressed) == PROGRESS_A_SECOND and now - self._progressed[0] < 1:
            return
        self._progressed.append(now)
        self.interim({"progress": asdict(progress)})

    def log(self, params: dict[str, Any]) -> None:
        self.interim({"log": params})

    def elicited(self, params: dict[str, Any]) -> None:
        self.interim({"elicited": params})

    async def send(self, work: Callable[[], Awaitable[Any]]) -> web.StreamResponse:
        """Sends the result of `work`, which orjson can serialize, or the error that it raises."""
        try:
            return await self._finish({"result": await work()})
        except CallFailed as failure:
            return await self._finish({"error": {"code": failure.code, **stored(failure.message)}})
        except ServerError as error:
            told = {"code": error.code, "message": error.message, "data": error.data}
            return await self._finish({"server_error": told})
        except AskedBack as asked:
            call = {"slot": asked.slot, "fence": asked.fence, "call": asked.call}
            return await self._finish({"asked": {"requests": asked.requests, **call}})
        finally:
            if self._writer is not None:
                self._writer.cancel()

    def interim(self, line: dict[str, Any]) -> None:
        """Sends a line before the result. It is dropped where the caller does not read as fast."""
        if self._lines.qsize() >= MOST_WAITING:
            return
        # The SDK reports something and does not wait: a task of our own writes.
        self._lines.put_nowait(line)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _finish(self, last_line: dict[str, Any]) -> web.StreamResponse:
        if self._writer is None:
            return web.Response(body=orjson.dumps(last_line) + b"\n")
        self._lines.put_nowait(last_line)
        await self._writer
        assert self._stream is not None  # noqa: S101 - the writer has made it
        return self._stream

    async def _write(self) -> None:
        self._stream = web.StreamResponse()
        # A caller that has gone has cancelled the handler, or is about to.
        with suppress(ConnectionResetError):
            await self._stream.prepare(self._request)
            while True:
                line = await self._lines.get()
                await self._stream.write(orjson.dumps(line) + b"\n")
                if any(kind in line for kind in _LAST):
                    return
