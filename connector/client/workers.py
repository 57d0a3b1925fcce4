"""What any worker can do, asked of one of them from any process."""

from datetime import timedelta
from typing import Any

import aiohttp
import orjson
from django.conf import settings
from django.db.models.functions import Now

from connector.host import host_id
from connector.models import Worker
from connector.wire.token import TOKEN_HEADER, data_plane_token
from core.database import in_thread
from tools.secrets.encryption import encrypt

CONNECT_TIMEOUT_S = 3


@in_thread
def alive() -> list[Worker]:
    """Those that can be reached, of this host if there are any."""
    alive = Now() - timedelta(seconds=settings.SUPERVISOR_LEASE_S)
    found = list(Worker.objects.filter(seen_at__gt=alive))
    here = [worker for worker in found if worker.host_id == host_id()]
    return here or [worker for worker in found if worker.address]


async def ask(
    worker: Worker, path: str, body: dict[str, Any], *, timeout_s: float | None = None
) -> dict[str, Any]:
    """The answer to `body`, which goes encrypted: it holds secrets, perhaps to another machine.

    Raises aiohttp.ClientError, or TimeoutError.
    """
    is_here = worker.host_id == host_id()
    connector = aiohttp.UnixConnector(worker.socket) if is_here else aiohttp.TCPConnector()
    url = f"http://{'worker' if is_here else worker.address}{path}"
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
    headers = {TOKEN_HEADER: data_plane_token()}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
        session.post(url, data=encrypt(body), raise_for_status=True) as response,
    ):
        told: dict[str, Any] = orjson.loads(await response.read())
    return told
