"""A worker tries a server out: connects, lists its tools and leaves. Nothing is stored, nothing stays."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import count

import orjson
from aiohttp import web

from connector.errors import SessionLost, innermost
from connector.host import clock, timestamp
from connector.lifecycle.connection import Connection
from connector.process.resource_monitor import ResourceMonitor
from connector.session import Listing
from connector.wire.results import LEAVING_S, Trial
from tools.launch import LaunchSpec
from tools.secrets.encryption import decrypt

log = logging.getLogger(__name__)

AT_ONCE = 4


class Trials:
    """Those of one worker, whose processes are marked as `owner`'s."""

    def __init__(self, owner: str, monitor: ResourceMonitor) -> None:
        self._owner = owner
        self._monitor = monitor
        self._numbers = count(1)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def handle(self, request: web.Request) -> web.Response:
        """The body is an encrypted LaunchSpec, for it holds secrets and may come from another machine."""
        spec = LaunchSpec(**decrypt((await request.read()).decode()))
        if self._places.locked():
            raise web.HTTPServiceUnavailable
        async with self._places:
            trial = await self._try(spec)
        return web.Response(body=orjson.dumps(asdict(trial)))

    async def _try(self, spec: LaunchSpec) -> Trial:
        """Some servers of the older era end at an unknown request: they get a second chance without it."""
        trial, is_lost = await self._attempt(spec, probe=True)
        return (await self._attempt(spec, probe=False))[0] if is_lost else trial

    async def _attempt(self, spec: LaunchSpec, *, probe: bool) -> tuple[Trial, bool]:
        began = clock()
        mark = f"{self._owner}/trial.{next(self._numbers)}"
        lease_s = spec.start_timeout_s + LEAVING_S
        connection = Connection(spec, mark=mark, lease_s=lambda: lease_s, monitor=self._monitor)
        try:
            version, listing = await _listed(connection, spec.start_timeout_s, probe=probe)
        except Exception as raised:  # noqa: BLE001 - however it ends, it is explained to who asked
            error = innermost(raised)
            failure = connection.explain(error, stage="start", lived_s=clock() - began)
            told = failure.as_error(timestamp())
            trial = Trial(_ms_since(began), error=told, stderr_tail=connection.stderr_tail)
            return trial, isinstance(error, SessionLost)
        trial = Trial(_ms_since(began), version, listing.tools, listing.complaint)
        return trial, False


async def _listed(connection: Connection, timeout_s: float, *, probe: bool) -> tuple[str, Listing]:
    """The protocol version and the tools. Raises what `Connection.explain` understands."""
    found: tuple[str, Listing] | None = None
    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(timeout_s):
                session = await stack.enter_async_context(connection.open(probe=probe))
                found = session.protocol_version, await session.list_tools()
            connection.stop(hard=False)
    except Exception:
        if found is None:  # else it was only the leaving that failed
            raise
        log.debug("Leaving a server that was tried out failed.", exc_info=True)
    assert found is not None  # noqa: S101 - else something was raised
    return found


def _ms_since(began: float) -> int:
    return round((clock() - began) * 1000)
