"""The ORM's connections, on which nothing waits for ever."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from psycopg.abc import PQGen

T = TypeVar("T")
_GRACE_S = 2.0
_POLL_S = 0.1

_thread = threading.local()


class TakesNoWrites(psycopg.OperationalError):
    """The database can be read, and refused to be written: it is a standby, or was made read-only.

    It counts as one that is away: PostgreSQL's own error is an internal one, as faults of ours are.
    """


@contextmanager
def read_only_is_an_outage(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
) -> Iterator[None]:
    """Raises TakesNoWrites, and closes the connection: the next may reach a server that takes writes."""
    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction as error:
        connection.pgconn.finish()
        raise TakesNoWrites("The database takes no writes.") from error


@contextmanager
def deadline(within_s: float) -> Iterator[None]:
    """Bounds the waits of this thread by `within_s` seconds from now, all of them together."""
    _thread.deadline = time.monotonic() + within_s
    try:
        yield
    finally:
        del _thread.deadline


class BoundedConnection(psycopg.Connection[Any]):
    """Raises psycopg.OperationalError, and is closed, if the server does not answer in time.

    A statement has DATABASE_TIMEOUT_S, which the server itself enforces (`statement_timeout`), and a little
    more for a server that does not even do that: PostgreSQL or its machine may be frozen, and TCP does not
    notice that as long as the kernel acknowledges what is sent.
    """

    is_bounded = True
    """Whether statements have DATABASE_TIMEOUT_S: those of migrations have not."""

    def wait(self, gen: PQGen[T], interval: float = _POLL_S, timeout: float | None = None) -> T:
        with read_only_is_an_outage(self):
            return self._wait(gen, interval, timeout)

    def _wait(self, gen: PQGen[T], interval: float, timeout: float | None) -> T:
        until = self._until()
        if timeout is not None or until == math.inf:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, max(0.0, until - time.monotonic()))
        except psycopg.OperationalError:
            if time.monotonic() >= until:
                self.pgconn.finish()  # whatever the server still sends is for nobody
            raise

    def _until(self) -> float:
        until: float = getattr(_thread, "deadline", math.inf)
        if self.is_bounded and settings.DATABASE_TIMEOUT_S:
            until = min(until, time.monotonic() + settings.DATABASE_TIMEOUT_S + _GRACE_S)
        return until
