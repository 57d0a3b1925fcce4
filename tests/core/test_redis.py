"""A store that an event loop shares. With a real Redis."""

import asyncio

import pytest

from core.redis import SharedStore, StoreDown
from tests.garbage import no_cycles


async def _asked(store: SharedStore) -> bool:
    async with store.within_deadline() as redis:
        return bool(await redis.ping())


def test_a_shared_store_is_there_while_its_lifespan_lasts_in_one_loop_after_another() -> None:
    store = SharedStore()

    async def lived() -> None:
        async with store.lifespan():
            assert await _asked(store)
        with pytest.raises(StoreDown):
            await _asked(store)
        with pytest.raises(StoreDown):
            _ = store.redis

    asyncio.run(lived())
    asyncio.run(lived())


async def test_a_deadline_leaves_nothing_to_collect() -> None:
    store = SharedStore()
    async with store.lifespan():
        assert await _asked(store)
        with no_cycles("core.", "asyncio."):
            assert await _asked(store)
