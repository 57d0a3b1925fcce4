"""The whole product at DEBUG, on a database and in a Redis of its own, with everything that it says."""

import base64
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db import connection
from redis import Redis

from config.runner.processes import Running
from tests.database import connected_to
from tests.stack import Stack

DATABASE = "canaries"
_ENCODED = re.compile(rb"[A-Za-z0-9+/]{40,}")


class LoudStack(Stack):
    """`said` are the commands that Redis was sent, by whomever: tasks, messages and values alike."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Another number, as workers of two installations must not take each other's tasks.
        self._redis_url = urlunsplit(urlsplit(os.environ["REDIS_URL"])._replace(path="/7"))
        self._redis = Redis.from_url(self._redis_url)
        self.said: list[bytes] = []

    def start_process(self, name: str, command: list[str] | None = None, **environment: str) -> Running:
        base, _, query = os.environ["DATABASE_URL"].partition("?")
        loud = {
            "LOG_LEVEL": "DEBUG",
            "REDIS_URL": self._redis_url,
            "DATABASE_URL": f"{base.rpartition('/')[0]}/{DATABASE}?{query}",
        }
        return super().start_process(name, command, **{**loud, **environment})

    @contextmanager
    def database(self) -> Iterator[None]:
        with self._unblock(), connected_to(DATABASE):
            yield

    @contextmanager
    def overheard(self) -> Iterator[None]:
        """Listens to all that Redis is sent inside the block."""
        ended = threading.Event()
        with Redis.from_url(self._redis_url).monitor() as monitor:

            def listen() -> None:
                while not ended.is_set():
                    self.said.append(str(monitor.next_command()["command"]).encode())

            listener = threading.Thread(target=listen)
            listener.start()
            try:
                yield
            finally:
                ended.set()
                self._redis.ping()  # the listener waits for one more command
                listener.join()

    def outputs(self) -> dict[str, bytes]:
        """Returns what was logged, sent and stored, by where."""
        logs = {f"log of {name}": self.log(name).encode() for name in ("web", "mcp", "default")}
        said = b"\n".join(self.said)
        return {**logs, "Redis": said, "tasks in Redis": _decoded(said), **self._rows()}

    def _rows(self) -> dict[str, bytes]:
        """Returns all rows of each table, as they are stored."""
        with self.database(), connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor)
            found = {}
            for table in tables:
                cursor.execute(f"SELECT coalesce(string_agg(each::text, chr(10)), '') FROM \"{table}\" each")
                found[f"table {table}"] = str(cursor.fetchone()[0]).encode()
        return found


def _decoded(said: bytes) -> bytes:
    """Returns what is inside of base64: Celery's messages are."""
    return b"\n".join(base64.b64decode(each[: len(each) // 4 * 4]) for each in _ENCODED.findall(said))
