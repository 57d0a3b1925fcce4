"""Trying a server out, from any process: a worker does it, and nothing is stored."""

import asyncio
import random
from dataclasses import asdict
from datetime import timedelta

import aiohttp
import orjson
from django.conf import settings
from django.db.models.functions import Now

from apikeys.database import in_thread
from connector.credential import TOKEN_HEADER, data_plane_token
from connector.errors import CallFailed
from connector.host import host_id
from connector.models import Worker
from connector.results import LEAVING_S, Trial
from tools.encryption import encrypt
from tools.launch import LaunchSpec

ATTEMPTS = 2


async def attempt(spec: LaunchSpec) -> Trial:
    """Raises CallFailed when no worker can do it."""
    workers = await _workers()
    if not workers:
        raise CallFailed("server_unavailable", "No worker is running that could try the server out.")
    try:
        async with asyncio.timeout(ATTEMPTS * (spec.start_timeout_s + LEAVING_S)):
            return await _ask(random.choice(workers), spec)  # noqa: S311 - spreading load
    except TimeoutError as error:
        raise CallFailed("server_unavailable", "The worker did not end the trial in time.") from error
    except aiohttp.ClientError as error:
        busy = isinstance(error, aiohttp.ClientResponseError) and error.status == 503
        message = "The worker is busy with other trials." if busy else "The worker ended during the trial."
        raise CallFailed("overloaded" if busy else "server_unavailable", message) from error


@in_thread
def _workers() -> list[Worker]:
    """Those that can be reached, of this host if there are any."""
    alive = Now() - timedelta(seconds=settings.SUPERVISOR_LEASE_S)
    found = list(Worker.objects.filter(seen_at__gt=alive))
    here = [worker for worker in found if worker.host_id == host_id()]
    return here or [worker for worker in found if worker.address]


async def _ask(worker: Worker, spec: LaunchSpec) -> Trial:
    is_here = worker.host_id == host_id()
    connector = aiohttp.UnixConnector(worker.socket) if is_here else aiohttp.TCPConnector()
    url = f"http://{'worker' if is_here else worker.address}/trial"
    body = encrypt({**asdict(spec), "restart_requested_at": None})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=3)
    headers = {TOKEN_HEADER: data_plane_token()}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
        session.post(url, data=body, raise_for_status=True) as response,
    ):
        return Trial(**orjson.loads(await response.read()))
