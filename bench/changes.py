"""What a change by the management API takes: PATCH of an assistant, a server and a key."""

import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from assistants import actions
from bench.figures import Figure
from bench.processor import between, seconds
from bench.web import BY, Caller, start_web
from tests.chaos.world import World
from tools import actions as server_actions

REQUESTS, WARM_UP = 200, 20
SERVERS, KEYS = 5, 5
GOAL_MS = 40.0


def measure(world: World) -> Iterator[Figure]:
    """Yields how long a caller waits, and what a change costs all processes, with the hints that follow."""
    web = start_web(world)
    for name, path in _changed().items():
        yield from _figures(world, web, name, path)


def _changed() -> dict[str, str]:
    """Creates what is changed. Returns the addresses by name."""
    servers = [
        server_actions.register(
            by=BY,
            name=f"Server {number}",
            connection_type="streamable_http",
            url=f"https://{number}.example.com/mcp",
        )
        for number in range(SERVERS)
    ]
    keys = [key_actions.issue(by=BY, name=f"Key {number}").api_key for number in range(KEYS)]
    assistant = actions.create(by=BY, name="Desk", aliases=["gpt-4o"], tools=servers, api_keys=keys)
    return {
        "an assistant": f"/api/v1/assistants/{assistant.pk}",
        "a server": f"/api/v1/mcp-tools/{servers[0].pk}",
        "a key": f"/api/v1/api-keys/{keys[0].pk}",
    }


def _figures(world: World, web: Caller, name: str, path: str) -> Iterator[Figure]:
    changer = _Changer(web, path)
    for _ in range(WARM_UP):
        changer.change_ms()
    time.sleep(1)
    before = seconds(world)
    took = [changer.change_ms() for _ in range(REQUESTS)]
    time.sleep(1)
    cost = between(before, seconds(world), each=REQUESTS)
    parts = ", ".join(f"{kind} {ms:.2f}" for kind, ms in cost.items())
    yield Figure(f"PATCH of {name}, {changer.queries()} queries", took, "ms", GOAL_MS)
    yield Figure(f"the same, of the processor ({parts})", [sum(cost.values())], "CPU-ms")


class _Changer:
    """Renames one row again and again, each time as whoever has read it: with `If-Match`."""

    def __init__(self, web: Caller, path: str) -> None:
        self._path, self._number = path, 0
        self._headers = {"Authorization": f"Bearer {web.key.key}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(urlsplit(web.url).netloc, timeout=60)
        self._version = orjson.loads(self._ask("GET", b""))["version"]

    def change_ms(self) -> float:
        body = self._body()
        began = time.perf_counter()
        answer = self._ask("PATCH", body, {"If-Match": f'"{self._version}"'})
        took = (time.perf_counter() - began) * 1000
        self._version = orjson.loads(answer)["version"]
        return took

    def queries(self) -> int:
        """Returns the number of statements that one change sends, those of its transaction included."""
        client = APIClient(headers={"Authorization": self._headers["Authorization"], "Host": "localhost"})
        with CaptureQueriesContext(connection) as captured:
            client.patch(self._path, self._body(), content_type="application/json")
        return len(captured)

    def _body(self) -> bytes:
        self._number += 1
        return orjson.dumps({"name": f"{self._path.rpartition('/')[2]} changed {self._number}"})

    def _ask(self, method: str, body: bytes, headers: dict[str, Any] | None = None) -> bytes:
        self._connection.request(method, self._path, body, {**self._headers, **(headers or {})})
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {self._path}: {answer.status} {read[:200]!r}")
        return read
