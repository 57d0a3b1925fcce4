"""Streams of the endpoint, read message by message."""

import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2

from tests.assistants.mcp_endpoint.clients import Caller


class Events:
    """Messages of one stream, as they come."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, *, within_s: float = 30) -> dict[str, Any] | None:
        """Returns the next message; None at the end of the stream. Raises queue.Empty if none comes."""
        return self._messages.get(timeout=within_s)

    def until(self, method: str, *, within_s: float = 30) -> dict[str, Any]:
        """Returns the next message of a method, and passes over others."""
        while (message := self.next(within_s=within_s)) is not None:
            if message.get("method") == method:
                return message
        raise AssertionError(f"The stream ended without {method}.")

    def leave(self) -> None:
        """Ends the connection, whatever the thread that reads it waits for."""
        stream = self.response.extensions["network_stream"]
        with suppress(OSError):
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        try:
            for line in self.response.iter_lines():
                if line.startswith("data:"):
                    self._messages.put(json.loads(line[5:]))
        except (httpx2.HTTPError, httpx2.StreamError):
            pass
        self._messages.put(None)


@contextmanager
def followed(caller: Caller) -> Iterator[Events]:
    """Yields what the caller's session is told outside of its calls."""
    with caller.http.stream("GET", caller.url, headers={"accept": "text/event-stream"}) as response:
        assert response.status_code == 200
        events = Events(response)
        yield events
        events.leave()


@contextmanager
def posted(caller: Caller, message: dict[str, Any], **headers: str) -> Iterator[Events]:
    """Yields the messages with which a request is answered on a stream."""
    body = {"jsonrpc": "2.0", "id": 1, **message}
    with caller.http.stream("POST", caller.url, json=body, headers=headers) as response:
        events = Events(response)
        yield events
        events.leave()
