"""The worker client: asks one worker for what any of them can do, from any process."""

from typing import Any

import aiohttp
import orjson

from connector.host import host_id
from connector.models import Worker
from connector.wire.token import TOKEN_HEADER, data_plane_token
from core.database import in_thread
from tools.secrets.encryption import encrypt

CONNECT_TIMEOUT_S = 3


@in_thread
def alive() -> list[Worker]:
    """Returns the workers that can be reached: those of this host, or else those with an address."""
    found = list(Worker.objects.alive())
    here = [worker for worker in found if worker.host_id == host_id()]
    return here or [worker for worker in found if worker.address]


async def ask(
    worker: Worker, path: str, body: dict[str, Any], *, timeout_s: float | None = None
) -> dict[str, Any]:
    """Returns the worker's answer to `body`. Raises aiohttp.ClientError or TimeoutError.

    The body is encrypted: it holds secrets, and may go to another machine in clear HTTP.
    """
    is_here = worker.host_id == host_id()
    # A session for each request: these are rare, and follow no worker beyond its life.
    connector = aiohttp.UnixConnector(worker.socket) if is_here else aiohttp.TCPConnector()
    url = f"http://{'worker' if is_here else worker.address}{path}"
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
    headers = {TOKEN_HEADER: data_plane_token()}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
        session.post(url, data=encrypt(body), raise_for_status=True) as response,
    ):
        answer: dict[str, Any] = orjson.loads(await response.read())
    return answer
