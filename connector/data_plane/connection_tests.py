"""Connection tests: a worker connects to a server, lists its tools and leaves. Nothing is stored or stays."""

import asyncio
from dataclasses import asdict
from itertools import count
from typing import Any, NamedTuple

from connector.data_plane.answers import Answer
from connector.errors import CallFailed, SessionLost, innermost
from connector.host import clock, timestamp
from connector.lifecycle.brief_session import listed
from connector.lifecycle.cache_repair import CacheRepair
from connector.lifecycle.connection import Connection
from connector.lifecycle.diagnosis import Diagnosis, ExitReason
from connector.lifecycle.starting import Start, StartSlots
from connector.lifecycle.unexpected import log_unexpected
from connector.process.resource_monitor import ResourceMonitor
from connector.wire.known import known
from connector.wire.results import TEARDOWN_S, ConnectionTestResult
from core.message import Message, stored
from tools.launch import LaunchSpec
from tools.secrets.encryption import decrypt

AT_ONCE = 4


class _Again(NamedTuple):
    """Another attempt is worth it. `probe`: see `Session.open`."""

    probe: bool


def _again(diagnosis: Diagnosis, error: BaseException) -> _Again | None:
    # Nothing was wrong but the folder of npx that has been removed.
    if diagnosis.reason == ExitReason.REPAIRED_CACHE:
        return _Again(probe=True)
    # Some servers end at `server/discover`, which the older era does not know: once more without it.
    return _Again(probe=False) if isinstance(error, SessionLost) else None


class ConnectionTests:
    """The connection tests of one worker, whose processes are marked as `owner`'s."""

    def __init__(self, owner: str, monitor: ResourceMonitor) -> None:
        self._owner = owner
        self._monitor = monitor
        self._numbers = count(1)
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._starts = StartSlots(AT_ONCE)  # no test waits for another, or for a start

    async def run(self, body: str, _: Answer) -> dict[str, Any]:
        """`body` is an encrypted LaunchSpec: it holds secrets. Returns a ConnectionTestResult."""
        spec = known(LaunchSpec, decrypt(body))
        # Refused and not queued: a person waits for the answer.
        if self._permits.locked():
            busy = Message("The worker is busy with other connection tests.")
            raise CallFailed("overloaded", busy)
        async with self._permits:
            result = await self._test(spec)
        return {**asdict(result), "warning": stored(result.warning)}

    async def _test(self, spec: LaunchSpec) -> ConnectionTestResult:
        result, again = await self._attempt(spec, probe=True)
        return result if again is None else (await self._attempt(spec, probe=again.probe))[0]

    async def _attempt(self, spec: LaunchSpec, *, probe: bool) -> tuple[ConnectionTestResult, _Again | None]:
        """Returns the result, and how another attempt may do better."""
        began = clock()
        marker = f"{self._owner}/test.{next(self._numbers)}"
        # Nobody renews it: a server that is still there when the test must be over is killed by its shim.
        lease_s = spec.start_timeout_s + spec.install_limit_s + TEARDOWN_S
        connection = Connection(spec, marker=marker, lease_s=lambda: lease_s, monitor=self._monitor)
        try:
            start = Start(spec, self._starts, lambda wait: None)
            version, listing = await listed(connection, start, probe=probe)
        # The boundary to a foreign server and its transport: whatever it raises is diagnosed.
        except Exception as raised:  # noqa: BLE001
            error = innermost(raised)
            log_unexpected(error, "Connection test")
            diagnosis = connection.diagnose(error, stage="start", lived_s=clock() - began)
            diagnosis = await CacheRepair().after(connection, diagnosis)
            result = ConnectionTestResult(
                _ms_since(began), error=diagnosis.as_error(timestamp()), stderr_tail=connection.stderr_tail
            )
            return result, _again(diagnosis, error)
        return ConnectionTestResult(_ms_since(began), version, listing.tools, listing.warning), None


def _ms_since(began: float) -> int:
    return round((clock() - began) * 1000)
