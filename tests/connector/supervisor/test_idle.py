"""A worker whose servers are well notifies nobody, though it renews leases and publishes checks."""

import asyncio
from typing import Any

from core.database import connect, notifications
from core.feed import CHANNEL


async def test_a_healthy_server_notifies_nobody(servers: Any, supervise: Any) -> None:
    supervise()
    server = await servers.running()
    before = await servers.instance(server)
    async with await connect() as listener:
        await asyncio.sleep(1)
        await listener.execute(f"LISTEN {CHANNEL}")
        assert await notifications(listener, within_s=3) == []
    after = await servers.instance(server)
    assert after.checked_at > before.checked_at
    assert after.expires_at > before.expires_at
