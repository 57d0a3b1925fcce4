"""The bus between web processes: what one of them learns of a session that another one has to know.

It carries answers to requests of ours, cancellations, and changes of a session's state, over one channel of
Redis. Without Redis a client is served as long as all its requests reach one process.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from redis.exceptions import RedisError

from core.background import supervised
from core.log_pace import LogPace
from core.redis import SharedStore, StoreDown

log = logging.getLogger(__name__)

CHANNEL = "mcp-connector:mcp"
_ALIVE_S, _RETRY_S = 15.0, 1.0

Receive = Callable[[str, Any], object]
"""Gets the name of a session, and what concerns it."""

_receivers: dict[str, Receive] = {}
store = SharedStore()
_process = ""


def receives(kind: str, receive: Receive) -> None:
    """Has `receive` called for each message of this kind, from other processes."""
    _receivers[kind] = receive


async def send(kind: str, session: str, content: Any = None) -> None:
    """Tells the other web processes. It waits 100 ms at most; without Redis nobody is told."""
    message = orjson.dumps({"from": _process, "kind": kind, "session": session, "content": content})
    with suppress(StoreDown):
        async with store.within_deadline() as redis:
            await redis.publish(CHANNEL, message)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Sends and receives for as long as the context lasts."""
    global _process  # noqa: PLW0603 - not when this is imported: web processes may be forks of one
    _process = secrets.token_hex(8)
    async with store.lifespan(), supervised("The bus of MCP sessions", _listen):
        yield


async def _listen() -> None:
    losses = LogPace()
    while True:
        try:
            async with store.redis.pubsub() as channel:
                await channel.subscribe(CHANNEL)
                while True:
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=_ALIVE_S)
                    if message is None:
                        await channel.ping()
                    elif message["type"] == "message":
                        _dispatch(message["data"])
        except (RedisError, OSError, TimeoutError) as error:
            if losses.is_due():
                log.warning("The bus of MCP sessions lost Redis (%s), and tries again.", type(error).__name__)
            await asyncio.sleep(_RETRY_S)


def _dispatch(data: bytes) -> None:
    message = orjson.loads(data)
    if message["from"] != _process and (receive := _receivers.get(message["kind"])):
        receive(message["session"], message["content"])
