"""The lease store prunes workers that are gone, and no others."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connector import tasks
from connector.models import Instance, Worker
from connector.states import Phase
from tests.connector.conftest import orm, wait_for

DAY = timedelta(days=1)


async def worker(name: str, *, silent_for: timedelta | None) -> Worker:
    """`None` is the silence of a worker that drains."""
    seen_at = None if silent_for is None else timezone.now() - silent_for
    return await Worker.objects.acreate(
        name=name, node=f"mcp@{name}", host_id="a host that never came back", socket="", seen_at=seen_at
    )


async def lease(servers: Any, owner: Worker, *, expires_in: timedelta) -> Instance:
    server = await servers.register(is_enabled=False, name=owner.name)
    return await Instance.objects.acreate(
        server=server, worker=owner, fence=7, phase=Phase.READY, pid=1, expires_at=timezone.now() + expires_in
    )


async def names() -> set[str]:
    return {name async for name in Worker.objects.values_list("name", flat=True)}


@pytest.fixture
async def expired(servers: Any) -> Instance:
    """A lease of a silent worker, beside workers that live or drain."""
    await worker("alive", silent_for=timedelta())
    await worker("silent for an hour", silent_for=timedelta(hours=1))
    await lease(servers, await worker("draining", silent_for=None), expires_in=timedelta(seconds=15))
    await worker("silent", silent_for=DAY * 1.1)
    with_lease = await worker("silent with an expired lease", silent_for=DAY * 2)
    return await lease(servers, with_lease, expires_in=-DAY)


REMAINING = {"alive", "silent for an hour", "draining"}


async def test_tidying_prunes_workers_that_have_been_silent_for_a_day(expired: Instance) -> None:
    await orm(tasks.tidy)()
    assert await names() == REMAINING
    await expired.arefresh_from_db()
    assert (expired.worker_id, expired.expires_at, expired.phase) == (None, None, Phase.RELEASED)
    assert expired.fence == 7


async def test_what_a_clock_said_before_it_was_set_back_holds_no_longer_than_a_lease(
    servers: Any, settings: Any
) -> None:
    settings.SUPERVISOR_LEASE_S = 15
    lost = await lease(servers, await worker("lost", silent_for=-DAY), expires_in=DAY)
    alive = await lease(
        servers, await worker("alive", silent_for=timedelta()), expires_in=timedelta(seconds=9)
    )
    renewed = alive.expires_at

    await orm(tasks.check)()

    await lost.arefresh_from_db()
    await alive.arefresh_from_db()
    assert timedelta() < lost.expires_at - timezone.now() <= timedelta(seconds=15)
    assert (await Worker.objects.aget(name="lost")).seen_at <= timezone.now()
    assert alive.expires_at == renewed


async def test_a_supervisor_prunes_silent_workers_when_it_starts(expired: Instance, supervise: Any) -> None:
    supervisor = supervise()

    async def pruned() -> bool:
        return await names() == {*REMAINING, supervisor.name}

    await wait_for(pruned)
