"""Logging in to a remote server, from any process: a worker does it and keeps the tokens."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
from django.conf import settings
from django.db.models.functions import Now

from apikeys.database import in_thread
from connector.credential import TOKEN_HEADER, data_plane_token
from connector.host import host_id
from connector.models import Worker
from tools.encryption import encrypt

DEADLINE_S = 40.0


class LoginFailed(Exception):
    """The text is for people, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Begun:
    """`url` is where to send the person; what comes back with `state` is for this `worker`."""

    url: str
    state: str
    worker: str


async def begin(server_id: int, redirect_uri: str) -> Begun:
    """Raises LoginFailed."""
    workers = await _workers()
    if not workers:
        raise LoginFailed("No worker is running that could log in.")
    worker = random.choice(workers)  # noqa: S311 - spreading load
    told = await _ask(worker, "/login", {"server_id": server_id, "redirect_uri": redirect_uri})
    return Begun(told["url"], told["state"], worker.name)


async def finish(worker: str, answer: Mapping[str, str]) -> None:
    """`answer`: `code`, `state` and perhaps `iss`, as they came back. Raises LoginFailed."""
    found = [each for each in await _workers() if each.name == worker]
    if not found:
        raise LoginFailed("The worker that began this login has ended. Begin it again.")
    await _ask(found[0], "/login/answer", dict(answer))


@in_thread
def _workers() -> list[Worker]:
    """Those that can be reached, of this host if there are any."""
    alive = Now() - timedelta(seconds=settings.SUPERVISOR_LEASE_S)
    found = list(Worker.objects.filter(seen_at__gt=alive))
    here = [worker for worker in found if worker.host_id == host_id()]
    return here or [worker for worker in found if worker.address]


async def _ask(worker: Worker, path: str, body: dict[str, Any]) -> dict[str, Any]:
    is_here = worker.host_id == host_id()
    connector = aiohttp.UnixConnector(worker.socket) if is_here else aiohttp.TCPConnector()
    url = f"http://{'worker' if is_here else worker.address}{path}"
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S, sock_connect=3)
    headers = {TOKEN_HEADER: data_plane_token()}
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
            session.post(url, data=encrypt(body), raise_for_status=True) as response,
        ):
            told: dict[str, Any] = orjson.loads(await response.read())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LoginFailed("The worker ended, or took too long. Begin the login again.") from error
    if "error" in told:
        raise LoginFailed(told["error"])
    return told
