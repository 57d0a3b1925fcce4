"""Answers as they are stored for callers who send their request again, and given once more.

The codes by which callers decide are in the first answer alone.
"""

import asyncio
from collections.abc import AsyncGenerator

from django.http import HttpResponse

from assistants.approvals import sentences
from assistants.idempotency import Answer
from assistants.openai_api.http import json_response
from assistants.openai_api.sse import HEARTBEAT

MOST_BYTES = 8 * 1024 * 1024
_STREAM = "text/event-stream"
_HEADERS = ("x-should-retry",)
REPLAYED = {"idempotent-replayed": "true"}


class StreamCopy:
    """The pieces of a streamed answer, for its caller as they come and for a repetition as a whole.

    A copy that a caller follows holds the whole answer, which the limits on a run bound; one that nobody
    follows is given up beyond MOST_BYTES.
    """

    def __init__(self, *, is_followed: bool) -> None:
        self._is_followed = is_followed
        self._pieces: list[bytes] = []
        self._size = 0
        self._has_news = asyncio.Event()

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > MOST_BYTES and not self._is_followed:
            self._pieces.clear()
        self._has_news.set()

    def answer(self) -> Answer | None:
        """Returns None for an answer that is too long to be stored."""
        if self._size > MOST_BYTES:
            return None
        body = b"".join(piece for piece in self._pieces if piece != HEARTBEAT)
        return {"status": 200, "type": _STREAM, "body": sentences.without_codes(body.decode())}

    async def follow(self, writer: asyncio.Task[None]) -> AsyncGenerator[bytes, None]:
        """Yields the pieces until `writer`, the task that adds them, is done. Raises what it raised."""
        writer.add_done_callback(lambda _: self._has_news.set())
        position = 0
        try:
            while True:
                is_over = writer.done()
                self._has_news.clear()
                while position < len(self._pieces):
                    position += 1
                    yield self._pieces[position - 1]
                if is_over:
                    writer.result()
                    return
                await self._has_news.wait()
        finally:
            self._is_followed = False


def stored(response: HttpResponse) -> Answer | None:
    """Returns None for an answer that is too long to be stored."""
    if len(response.content) > MOST_BYTES:
        return None
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    return {
        "status": response.status_code,
        "type": response.headers["content-type"],
        "headers": headers,
        "body": sentences.without_codes(response.content.decode()),
    }


def replayed(answer: Answer) -> HttpResponse:
    response = json_response({}, status=answer["status"], headers={**answer.get("headers", {}), **REPLAYED})
    response.content = answer["body"].encode()
    response.headers["content-type"] = answer["type"]
    return response
