"""A stand-in for an embeddings service, over real HTTP: it sends scripted answers, or else good vectors."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CANARY = "sk-embedder-7731"


@dataclass(frozen=True)
class Reply:
    """`body`: JSON, unless it is bytes. `slowness`: seconds before each byte of it."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    slowness: float = 0

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


REFUSAL = {"error": {"message": f"not with {CANARY}"}}


def good(body: dict[str, Any]) -> Reply:
    """Vectors that tell texts apart by their length."""
    return vectors(*([float(len(text)), 1.0, 0.0] for text in body["input"]))


def vectors(*each: Any) -> Reply:
    return Reply(body={"data": [{"index": place, "embedding": vector} for place, vector in enumerate(each)]})


class EmbeddingService:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.reply: Callable[[dict[str, Any]], Reply] = good
        self.next: list[Reply] = []  # before `reply`

    def answer(self, body: dict[str, Any], headers: dict[str, str], connection: Any) -> Reply:
        self.bodies.append(body)
        self.headers.append(headers)
        self.connections.add(connection)
        return self.next.pop(0) if self.next else self.reply(body)


@contextmanager
def serving() -> Iterator[EmbeddingService]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.service = EmbeddingService(server.server_port)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.service  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.service.answer(body, headers, self.client_address)  # type: ignore[attr-defined]
        try:
            self._send(reply)
        except OSError:  # the client has left
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        for part in [reply.content[i : i + 1] for i in range(len(reply.content))] if reply.slowness else []:
            time.sleep(reply.slowness)
            self.wfile.write(part)
        if not reply.slowness:
            self.wfile.write(reply.content)

    def log_message(self, *_: Any) -> None:
        pass
