"""A store that an event loop shares. With a real Redis."""

import asyncio

import pytest

from core.redis import SharedStore, StoreDown
from tests.garbage import no_cycles
from tests.refusing_redis import refusing


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


async def test_a_redis_that_takes_no_writes_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    store = SharedStore()
    async with store.lifespan():
        with refusing("full"):
            for _ in range(5):
                with pytest.raises(StoreDown):
                    async with store.within_deadline() as redis:
                        await redis.set("refused", 1)
                assert await _asked(store)
        async with store.within_deadline() as redis:
            await redis.set("taken", 1, ex=1)
    (record,) = caplog.records
    assert record.getMessage().startswith("Redis takes no writes, because its memory is full. Raise its max")
