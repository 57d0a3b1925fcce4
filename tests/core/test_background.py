"""Tasks that live as long as the process: one that dies is logged, and started again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from apikeys.limits.concurrency import Lease
from apikeys.limits.limiter import Limiter
from assistants import idempotency
from assistants.agent import cancellation
from assistants.selection import warm_up
from core import background, feed
from core.background import BatchWriter, supervised

Work = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_RETRY_S", 0.05)
    monkeypatch.setattr(background, "_MOST_BACKOFF_S", 0.1)


class FailsFirst:
    """A coroutine function that raises at its first call, and counts the calls."""

    def __init__(self, error: BaseException, result: Any = None) -> None:
        self.error = error
        self.result = result
        self.calls = 0

    async def __call__(self, *_: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return self.result

    async def wait_for_second_call(self) -> None:
        async with asyncio.timeout(20):
            while self.calls < 2:
                await asyncio.sleep(0.01)


async def test_work_that_fails_is_logged_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    work = FailsFirst(TypeError("a fault"))
    async with supervised("The work", work):
        await work.wait_for_second_call()
    assert "The work failed; it is started again." in caplog.text
    assert "TypeError: a fault" in caplog.text
    assert "Traceback" in caplog.text


async def test_so_is_work_that_is_cancelled_by_what_it_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    work = FailsFirst(asyncio.CancelledError())
    async with supervised("The work", work):
        await work.wait_for_second_call()
    assert "The work was cancelled; it is started again." in caplog.text


async def test_work_that_keeps_failing_is_started_less_often() -> None:
    starts: list[float] = []

    async def work() -> None:
        starts.append(time.monotonic())
        raise ValueError

    async with supervised("The work", work), asyncio.timeout(20):
        while len(starts) < 6:
            await asyncio.sleep(0.01)
    first, *others = (later - earlier for earlier, later in pairwise(starts))
    assert first > 0.04  # 0.05 s, and then every 0.1 s
    assert min(others) > 0.09


async def test_work_that_returns_is_done() -> None:
    work = FailsFirst(ValueError())
    async with supervised("The work", work) as task:
        await work.wait_for_second_call()
        await asyncio.sleep(0.3)
        assert work.calls == 2
        assert task.done()


async def test_it_ends_with_its_context(caplog: pytest.LogCaptureFixture) -> None:
    async with supervised("The work", asyncio.Event().wait) as task:
        await asyncio.sleep(0)
    assert task.cancelled()
    assert caplog.text == ""


async def test_an_error_in_the_context_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError):
        async with supervised("The work", asyncio.Event().wait) as task:
            raise ZeroDivisionError
    assert task.cancelled()


async def test_a_writer_lives_on_after_a_fault() -> None:
    write = FailsFirst(ValueError("a fault"))
    writer: BatchWriter[int] = BatchWriter("rows", write)
    async with writer.running():
        writer.add(1)
        await asyncio.sleep(0.1)
        writer.add(2)
        await write.wait_for_second_call()


async def test_the_leases_of_running_requests_are_renewed_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    limiter = Limiter(settings.REDIS_URL, lease_s=0.1)
    renew = FailsFirst(TypeError("a fault"))
    monkeypatch.setattr(limiter._leases, "_renew_of", renew)
    limiter._leases._held.add(Lease(1))
    async with limiter.running():
        await renew.wait_for_second_call()


async def test_running_requests_are_reported_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    touch = FailsFirst(TypeError("a fault"))
    monkeypatch.setattr(idempotency, "_touch", touch)
    monkeypatch.setattr(idempotency, "_living_owners", lambda: {1})
    monkeypatch.setattr(idempotency, "_REPORT_EVERY_S", 0.05)
    async with idempotency.lifespan():
        await touch.wait_for_second_call()


async def test_runs_can_be_cancelled_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = FailsFirst(TypeError("a fault"))
    monkeypatch.setattr(cancellation, "_cancel_unwanted", cancel)
    async with cancellation.lifespan():
        cancellation._notify()
        await cancel.wait_for_second_call()  # for the same change


async def test_the_embedder_is_loaded_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    is_needed = FailsFirst(TypeError("a fault"), result=False)
    monkeypatch.setattr(warm_up, "_is_needed", is_needed)
    async with warm_up.lifespan():
        await is_needed.wait_for_second_call()


@pytest.mark.django_db(transaction=True)
async def test_a_subscriber_that_always_raises_keeps_no_other_from_hearing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fail() -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(feed, "_subscribers", list(feed._subscribers))
    feed.subscribe(["some_table"], fail)
    feed.subscribe(["some_table"], lambda: heard.append("change"))
    async with feed.listening(), asyncio.timeout(20):
        while len(heard) < 3:
            await asyncio.sleep(0.01)
        assert feed.max_age() == feed.BLIND_MAX_AGE_S  # the caches are not trusted
    assert "The change feed failed; it is started again." in caplog.text
    assert "ValueError: a fault" in caplog.text


async def test_work_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_CANCEL_AGAIN_S", 0.05)
    lost = []

    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(True)

    async with asyncio.timeout(20), background.supervised("Work", work) as task:
        await asyncio.sleep(0)
    assert lost
    assert task.done()
