"""The worker client: asks one worker for what any of them can do, from any process."""

import asyncio
from typing import Any

from connector.client.connection import opened
from connector.client.pool import connection_to
from connector.client.transport import result_of
from connector.host import host_id
from connector.models import Worker
from core.database import in_thread
from tools.secrets.encryption import encrypt


@in_thread
def alive() -> list[Worker]:
    """Returns the workers that can be reached: those of this host, or else those with an address."""
    found = list(Worker.objects.alive())
    here = [worker for worker in found if worker.host_id == host_id()]
    return here or [worker for worker in found if worker.address]


async def connect_all() -> None:
    """Opens this event loop's connections to the workers, so that no call has to wait for that.

    Raises CallFailed and django.db.Error.
    """
    addresses = set(map(_address, await alive()))
    await asyncio.gather(*map(connection_to, addresses))


async def ask(worker: Worker, name: str, body: dict[str, Any], *, timeout_s: float | None = None) -> Any:
    """Returns the worker's result for `body`. Raises CallFailed and TimeoutError.

    The body is encrypted: it holds secrets, and may go to another machine in clear.
    """
    async with asyncio.timeout(timeout_s):
        # A connection for each request: these are rare, and come from event loops that live as long as they.
        connection = await opened(_address(worker))
        try:
            return result_of(await connection.ask(name, encrypt(body), lambda _: None))
        finally:
            connection.close()


def _address(worker: Worker) -> str:
    return worker.socket if worker.host_id == host_id() else worker.address
