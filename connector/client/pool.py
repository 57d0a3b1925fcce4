"""The connections of this process to workers: one to each, for each event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from connector.client.connection import Connection, opened


class _Connections:
    """Those of one event loop, by address."""

    def __init__(self) -> None:
        self.open: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Task[Connection]] = {}

    async def opened(self, address: str) -> Connection:
        """Returns the new connection, which all who wait for it share. Raises CallFailed."""
        opening = self._opening.get(address)
        if opening is None:
            opening = self._opening[address] = asyncio.create_task(self._opened(address))
            opening.add_done_callback(lambda _: self._opening.pop(address))
        # Who leaves does not end it for the others.
        return await asyncio.shield(opening)

    async def close(self) -> None:
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for connection in list(self.open.values()):
            connection.close()
        # The event loop closes sockets in its next round.
        await asyncio.sleep(0)

    async def _opened(self, address: str) -> Connection:
        connection = await opened(address, self._drop)
        self.open[address] = connection
        return connection

    def _drop(self, closed: Connection) -> None:
        self.open = {address: each for address, each in self.open.items() if each is not closed}


async def connection_to(address: str) -> Connection:
    """Returns the connection to a worker, as `opened` does."""
    loop = asyncio.get_running_loop()
    held = _held.get(loop)
    if held is None:
        held = _held[loop] = _Connections()
    connection = held.open.get(address)
    if connection is not None and connection.is_open:
        return connection
    return await held.opened(address)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Closes this event loop's connections to workers when the block ends."""
    try:
        yield
    finally:
        held = _held.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held.close()


_held: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connections] = WeakKeyDictionary()
