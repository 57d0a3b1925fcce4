"""Connections to a Redis behind Sentinel."""

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.sentinel_address import SentinelAddress

_Address = tuple[str, int]


class _Sentinels(Sentinel):
    """Asks all of them at once, for all who wait; a round goes on when who began it has given up.

    redis-py asks one after the other: one whose host has vanished, with the primary perhaps, would use up the
    deadline of every question, and nobody would come to the second.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._round: asyncio.Task[_Address | None] | None = None
        self._questions: set[asyncio.Task[_Address | None]] = set()

    async def discover_master(self, service_name: str) -> _Address:
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._ask_all(service_name))
        if (found := await asyncio.shield(self._round)) is None:
            raise MasterNotFoundError(f"No sentinel knows a primary of {service_name!r}")
        return found

    async def aclose(self) -> None:
        for task in (self._round, *self._questions):
            if task is not None:
                task.cancel()
        await super().aclose()

    async def _ask_all(self, service: str) -> _Address | None:
        asked = [asyncio.create_task(self._primary(each, service)) for each in self.sentinels]
        for task in asked:  # those that are slower end by themselves, see TIMEOUT_S
            self._questions.add(task)
            task.add_done_callback(self._questions.discard)
        for answer in asyncio.as_completed(asked):
            if (found := await answer) is not None:
                return found
        return None

    async def _primary(self, sentinel: Redis, service: str) -> _Address | None:
        try:
            known: Any = await sentinel.sentinel_masters()
        except (RedisError, OSError):
            return None
        state = known.get(service)
        if state and self.check_master_state(state, service):
            return str(state["ip"]), int(state["port"])
        return None


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the primary. Each new one asks the sentinels which that is."""

    def __init__(self, address: SentinelAddress, **options: Any) -> None:
        options_of_sentinels = {**address.sentinel_options, "retry": Retry(NoBackoff(), 0)}
        sentinels = _Sentinels(address.hosts, sentinel_kwargs=options_of_sentinels)
        super().__init__(address.service, sentinels, db=address.database, **address.login, **options)  # type: ignore[no-untyped-call]

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes its connections; without those in use, which is done when the primary is another."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()
