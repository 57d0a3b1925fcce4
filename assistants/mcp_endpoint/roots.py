"""Changes of a client's roots, told to the servers with which its session has sessions of its own."""

import asyncio

from assistants.mcp_endpoint.sessions import Session
from connector.client import requests

GATHER_S = 0.3
"""How long a change waits for others: every worker is told of each."""
_MOST = 1000
_gathering: set[str] = set()
_telling: set[asyncio.Task[None]] = set()


def changed(session: Session) -> None:
    """Has the servers told soon, if the client has declared that it says when its roots change."""
    declared = session.capabilities.get("roots") or {}
    if not declared.get("listChanged") or session.name in _gathering or len(_telling) >= _MOST:
        return
    _gathering.add(session.name)
    telling = asyncio.create_task(_tell(session.name))
    _telling.add(telling)
    telling.add_done_callback(_telling.discard)


async def _tell(session: str) -> None:
    await asyncio.sleep(GATHER_S)
    _gathering.discard(session)
    await requests.tell_roots_changed(session)
