"""The change feed: what changed in the database, reported to every process within milliseconds of the commit.

Triggers (see `notify_on_change`) NOTIFY one channel with the table's name, so that no writer can forget it:
the API, the admin, a shell and plain SQL alike. While the feed is live a cached row may be kept for ever;
while it is not, for a second.

A trigger fires where a column of a row has changed, or where a model has FEED_COLUMNS, one of these. A cache
must read no other column of such a model: it would not be emptied. Tests compare the declarations with the
triggers of a migrated database (tests/core/test_feed.py), and with what the caches read (test_feed_columns).
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import psycopg
from django import db

from core import metrics
from core.background import supervised
from core.database import connect, notifications

log = logging.getLogger(__name__)

CHANNEL = "mcp_connector"
BLIND_MAX_AGE_S = 1.0
_HEARTBEAT_S = 2.0
_RETRY_S = 1.0
_ROWS = ("OLD", "NEW")
_LAG = "lag"
"""A notification that only `lag_s` sends and waits for."""

_subscribers: list[tuple[frozenset[str], Callable[[], None]]] = []
_caches: list["FeedCache[Any, Any]"] = []
_awaited: set[asyncio.Event] = set()
_live = False


def notify_on_change(table: str, *, columns: Iterable[str] = (), on_insert: bool = True) -> str:
    """Returns SQL for a migration: NOTIFY where a row of `table`, or these columns of it, has changed.

    It replaces the triggers that the table has. A migration names its columns one by one, a copy of
    FEED_COLUMNS at its time: by the constant itself, an old migration would name columns that later ones add.
    """
    named = list(columns)
    of_columns = f" OF {', '.join(named)}" if named else ""
    old, new = (f"({', '.join(f'{row}.{name}' for name in named)})" if named else f"{row}.*" for row in _ROWS)
    # For each row, with a condition: a trigger for each statement fires for one that finds no row as well,
    # which periodic tasks send all the time. PostgreSQL sends equal notifications of a transaction once.
    return f"""
        CREATE OR REPLACE FUNCTION mcp_connector_notify() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('{CHANNEL}', TG_TABLE_NAME); RETURN NULL; END $$;
        CREATE OR REPLACE TRIGGER mcp_connector_notify
        AFTER {"INSERT OR " if on_insert else ""}DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION mcp_connector_notify();
        CREATE OR REPLACE TRIGGER mcp_connector_notify_update
        AFTER UPDATE{of_columns} ON {table}
        FOR EACH ROW WHEN ({old} IS DISTINCT FROM {new}) EXECUTE FUNCTION mcp_connector_notify();
        CREATE OR REPLACE TRIGGER mcp_connector_notify_truncate
        AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION mcp_connector_notify();
    """


def notify_on_statement(table: str) -> str:
    """Returns the same for a table whose rows are written by the thousand, and only where there is a change.

    Any statement that writes to it notifies, once.
    """
    return f"""
        CREATE OR REPLACE TRIGGER mcp_connector_notify
        AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION mcp_connector_notify();
    """


def subscribe(tables: Iterable[str], callback: Callable[[], None]) -> None:
    """Has `callback` called in the loop that listens, when one of these tables has changed, or may have.

    The latter is after each (re)connection. A callback must be quick and must not raise.
    """
    _subscribers.append((frozenset(tables), callback))


def notify(payload: str) -> None:
    """Notifies everybody who listens, when the transaction commits. Tables are notified by their triggers."""
    # A function call, because the statement NOTIFY takes no parameters.
    with db.connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])


def forget() -> None:
    """Empties every cache of this process, for a writer who relies on what was written.

    The feed takes milliseconds, and a second while it is blind: what somebody asks of this process at once
    would be answered by what was true before. It must run in the loop that the caches belong to.
    """
    for cache in _caches:
        cache.clear()


def max_age() -> float:
    """Returns for how many seconds a cached row may be served: for ever while the feed is live, else one."""
    return float("inf") if _live else BLIND_MAX_AGE_S


@asynccontextmanager
async def listening() -> AsyncIterator[None]:
    """Keeps the caches of this process in step with the database for as long as the context lasts."""
    async with supervised("The change feed", _listen_for_ever):
        yield


async def _listen_for_ever() -> None:
    while True:
        try:
            await _listen()
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("The change feed lost the database (%s); retrying.", type(error).__name__)
            metrics.FEED_LOSSES.add(type(error).__name__)
        finally:
            _set_live(False)
        await asyncio.sleep(_RETRY_S)


async def _listen() -> None:
    async with await connect() as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        # Changes before LISTEN went unnoticed: every cache is emptied, and only then may it be trusted.
        _notify_all()
        _set_live(True)
        while True:
            received = await notifications(connection, within_s=_HEARTBEAT_S)
            for notification in received:
                _notify(notification.payload)
            if not received:
                # A connection can be dead without an error, behind a firewall for instance: then nothing
                # arrives.
                async with asyncio.timeout(_HEARTBEAT_S):
                    await connection.execute("SELECT 1")


async def lag_s(*, within_s: float) -> float:
    """Returns how long this process takes to hear of a change, by a notification that means nothing.

    Raises TimeoutError where it does not hear of it, psycopg.Error and OSError.
    """
    heard = asyncio.Event()
    _awaited.add(heard)
    try:
        async with asyncio.timeout(within_s), await connect() as connection:
            began = time.monotonic()
            await connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, _LAG])
            await heard.wait()
            return time.monotonic() - began
    finally:
        _awaited.discard(heard)


def _wake_awaited() -> None:
    for heard in _awaited:
        heard.set()


def _set_live(live: bool) -> None:
    global _live  # noqa: PLW0603 - one feed a process
    _live = live


def _notify(table: str) -> None:
    if table == _LAG:
        _wake_awaited()
    _call([callback for tables, callback in _subscribers if table in tables])


def _notify_all() -> None:
    _call([callback for _, callback in _subscribers])


def _call(callbacks: Iterable[Callable[[], None]]) -> None:
    """Calls them all, even if one of them raises; raises what the first one did."""
    faults = []
    for callback in callbacks:
        try:
            callback()
        except Exception as fault:  # noqa: BLE001 - raised below
            faults.append(fault)
    if faults:
        raise faults[0]


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Marks the exception of a task as retrieved.

    Else asyncio logs it as never retrieved if all callers that waited for the task were cancelled.
    """
    if not task.cancelled():
        task.exception()


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FeedCache(Generic[K, V]):
    """Caches what `load` returns, until the feed reports a change in one of `tables`.

    Misses of one key at the same time load once. No value is served for longer than `max_age_s` seconds. It
    belongs to one event loop: neither `get` nor the feed may run in another one.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V]],
        tables: Iterable[str],
        *,
        maxsize: int = 1024,
        max_age_s: float = float("inf"),
    ) -> None:
        self._load = load
        self._maxsize = maxsize
        self._max_age_s = max_age_s
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._loading: dict[K, asyncio.Task[V]] = {}
        subscribe(tables, self.clear)
        _caches.append(self)

    def clear(self) -> None:
        """Forgets everything: a NOTIFY names the table, not the row."""
        self._entries.clear()
        self._loading.clear()  # a load under way may have read what was before the change

    def put(self, key: K, value: V) -> None:
        """Stores a value that is known to be newer than what any load under way will return."""
        self._loading.pop(key, None)
        self._store(key, time.monotonic(), value)

    def peek(self, key: K) -> V | None:
        """Returns the value for `key`, or None where `get` would have to load it."""
        entry = self._fresh(key)
        return None if entry is None else entry[1]

    async def get(self, key: K) -> V:
        """Returns the value for `key`. Raises what `load` raises; failures are not cached."""
        if (entry := self._fresh(key)) is not None:
            return entry[1]
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._fill(key))
            task.add_done_callback(_retrieve_exception)
        # Shielded: a caller that is cancelled must not fail the others that wait for the same load.
        return await asyncio.shield(task)

    def _fresh(self, key: K) -> tuple[float, V] | None:
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() - entry[0] <= min(self._max_age_s, max_age()):
            return entry
        return None

    async def _fill(self, key: K) -> V:
        started = time.monotonic()
        task: asyncio.Task[Any] | None = asyncio.current_task()
        try:
            value = await self._load(key)
            # Another task, or none, if the cache was cleared meanwhile: then this value may be outdated.
            if self._loading.get(key) is task:
                # With the time of the start: the value is as old as the moment at which it was read.
                self._store(key, started, value)
            return value
        finally:
            if self._loading.get(key) is task:
                del self._loading[key]

    def _store(self, key: K, started: float, value: V) -> None:
        self._entries[key] = (started, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._maxsize:
            self._entries.popitem(last=False)
