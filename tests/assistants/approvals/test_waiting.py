"""Whoever waits for an outcome is woken by the change feed, in any process."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async

from assistants.actions import approvals
from assistants.approvals import NotMade, ask, outcome, waiting
from assistants.models import Approval
from core import feed
from tests.assistants.approvals.scene import Scene, staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def listening() -> AsyncIterator[None]:
    async with feed.listening(), waiting.lifespan():
        while feed.max_age() == feed.BLIND_MAX_AGE_S:
            await asyncio.sleep(0.01)
        yield


@sync_to_async
def reject(number: int) -> None:
    approvals.reject(Approval.objects.get(pk=number), by=staff())


@pytest.mark.usefixtures("listening")
async def test_a_decision_wakes_who_waits(committed: Scene) -> None:
    ticket = await ask(committed.question())
    others = [asyncio.create_task(outcome(ticket.number, wait_s=20)) for _ in range(3)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await reject(ticket.number)
    found = await asyncio.gather(*others)
    assert all(isinstance(each, NotMade) for each in found)
    assert time.monotonic() - began < 2.5
    assert waiting._waiters == {}


@pytest.mark.usefixtures("listening")
async def test_who_waits_too_long_is_told_nothing(committed: Scene) -> None:
    ticket = await ask(committed.question())
    assert await outcome(ticket.number, wait_s=0.05) is None
    assert waiting._waiters == {}


@pytest.mark.usefixtures("listening")
async def test_a_thousand_waiters_send_one_query_for_each_change(
    committed: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, other = await ask(committed.question()), await ask(committed.question({"to": "carol"}))
    waiters = [asyncio.create_task(outcome(ticket.number, wait_s=20)) for _ in range(20)]
    await asyncio.sleep(0.5)
    asked, over = [], waiting._over
    monkeypatch.setattr(waiting, "_over", lambda numbers: asked.append(set(numbers)) or over(numbers))
    await asyncio.sleep(1.2)
    assert asked == []
    await reject(other.number)
    await reject(ticket.number)
    await asyncio.gather(*waiters)
    assert 1 <= len(asked) <= 2


async def test_without_the_feed_waiters_are_looked_up_every_second(committed: Scene) -> None:
    async with waiting.lifespan():
        ticket = await ask(committed.question())
        waiter = asyncio.create_task(outcome(ticket.number, wait_s=20))
        await asyncio.sleep(0.2)
        await reject(ticket.number)
        assert isinstance(await waiter, NotMade)
