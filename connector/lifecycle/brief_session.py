"""A session that lists a server's tools and ends."""

import logging
from contextlib import AsyncExitStack

from connector.lifecycle.connection import Connection
from connector.lifecycle.starting import Start
from connector.session import Asked, Listing

log = logging.getLogger(__name__)


async def listed(
    connection: Connection, start: Start, *, probe: bool, asked: Asked | None = None
) -> tuple[str, Listing]:
    """Returns the protocol version and the tools. Raises what `Connection.diagnose` understands.

    `probe`, `asked`: see `Session.open`.
    """
    found: tuple[str, Listing] | None = None
    try:
        async with AsyncExitStack() as stack:
            async with start.limited(connection):
                session = await stack.enter_async_context(connection.open(probe=probe, asked=asked))
                found = session.protocol_version, await session.list_tools()
            connection.stop(hard=False)
    except Exception:
        # With the tools in hand only the closing failed, which is no news about the server.
        if found is None:
            raise
        log.debug("A session that listed tools could not be closed.", exc_info=True)
    assert found is not None  # noqa: S101 - else something was raised
    return found
