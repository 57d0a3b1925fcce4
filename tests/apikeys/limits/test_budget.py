"""The monthly token budget, in a real PostgreSQL."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from apikeys import actions, authentication, limits
from apikeys.errors import LimitReached
from apikeys.limits import budget
from apikeys.models import ApiKey, OutboxEvent, TokenUsage
from apikeys.principal import Principal
from assistants.models import Webhook
from core import database, feed
from core.actor import Actor
from tests.apikeys.limits.limiting import ROOT, program, spend

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db(transaction=True)

SPENDING = """
from django.conf import settings
settings.DATABASES["default"]["NAME"] = args[1]
from apikeys.limits import budget
async def main(id):
    async with budget.writer.running():
        for _ in range(200):
            budget.spend(id, 3)
            await asyncio.sleep(0)
asyncio.run(main(args[0]))
"""
KILL_THE_WAITING_WRITER = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%INSERT INTO apikeys_tokenusage%' AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def living() -> AsyncIterator[None]:
    async with limits.lifespan():
        yield


async def key(**fields: object) -> Principal:
    issued = await sync_to_async(actions.issue)(**{"by": BY, "name": "alice", **fields})
    return await authentication.authenticate(f"Bearer {issued.key}")


async def is_admitted(principal: Principal) -> bool:
    try:
        await limits.current().admit(principal)
    except LimitReached:
        return False
    return True


async def eventually(condition: object, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def tokens(principal: Principal) -> int:
    rows = TokenUsage.objects.filter(api_key_id=principal.id)
    return sum([row.tokens async for row in rows])


async def test_runs_are_added_up_in_one_row_a_key_and_month(living: None) -> None:
    principal = await key()
    for _ in range(5):
        await spend(limits.current(), principal, 7)
        await asyncio.sleep(0.02)
    await eventually(lambda: has_spent(principal, 35))
    row = await TokenUsage.objects.aget(api_key_id=principal.id)
    assert row.month == datetime.now(UTC).date().replace(day=1)


async def has_spent(principal: Principal, expected: int) -> bool:
    return await tokens(principal) == expected


async def test_a_spent_budget_is_refused_without_a_time_to_retry(living: None) -> None:
    principal = await key(tokens_per_month=10)
    assert await is_admitted(principal)
    await spend(limits.current(), principal, 12)
    await eventually(lambda: is_refused(principal))
    with pytest.raises(LimitReached, match="10 tokens of this month") as refusal:
        await limits.current().admit(principal)
    assert refusal.value.get_codes() == "insufficient_quota"
    assert refusal.value.headers == {"x-should-retry": "false"}


async def is_refused(principal: Principal) -> bool:
    return not await is_admitted(principal)


async def test_tokens_of_another_process_count_within_seconds(
    living: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget._spent, "_max_age_s", 0.3)
    principal = await key(tokens_per_month=10)
    assert await is_admitted(principal)
    await TokenUsage.objects.acreate(
        api_key_id=principal.id, month=datetime.now(UTC).date().replace(day=1), tokens=10
    )
    await eventually(lambda: is_refused(principal))


async def test_the_number_of_tokens_is_served_from_memory(
    living: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = await key(tokens_per_month=10)
    assert await is_admitted(principal)
    monkeypatch.setattr(budget._spent, "_load", lambda api_key_id: pytest.fail("asked the database"))
    monkeypatch.setattr("core.feed._live", True)
    assert await is_admitted(principal)


async def test_another_month_does_not_count(living: None) -> None:
    principal = await key(tokens_per_month=10)
    last_month = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    await TokenUsage.objects.acreate(
        api_key_id=principal.id, month=date(last_month.year, last_month.month, 1), tokens=99
    )
    assert await is_admitted(principal)


async def test_two_processes_add_up_without_a_loss(living: None) -> None:
    principal = await key()
    command = program(SPENDING, principal.id, connection.settings_dict["NAME"])
    process = await sync_to_async(subprocess.Popen)(command, cwd=ROOT)
    ours = 0
    while process.poll() is None:
        await spend(limits.current(), principal, 1)
        ours += 1
        await asyncio.sleep(0.01)
    assert process.returncode == 0
    await eventually(lambda: has_spent(principal, 200 * 3 + ours))


async def test_waiting_tokens_are_written_when_the_process_ends() -> None:
    principal = await key()
    async with limits.lifespan():
        await spend(limits.current(), principal, 5)
    assert await tokens(principal) == 5


async def test_tokens_are_written_again_after_an_outage_of_the_database(
    living: None, caplog: pytest.LogCaptureFixture
) -> None:
    principal = await key()
    with locked("apikeys_tokenusage") as blocker:
        await spend(limits.current(), principal, 5)
        await eventually(lambda: has_killed_the_writer(blocker))
        await spend(limits.current(), principal, 6)
    await eventually(lambda: has_spent(principal, 11))
    assert "the database is away" in caplog.text


@contextmanager
def locked(table: str) -> Iterator["psycopg.Connection[object]"]:
    """Yields a connection that holds a lock against all other writers of the table."""
    with psycopg.connect(**database._parameters()) as blocker:
        blocker.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield blocker


async def has_killed_the_writer(blocker: "psycopg.Connection[object]") -> bool:
    blocker.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
    return bool(blocker.execute(KILL_THE_WAITING_WRITER).fetchall())


async def test_tokens_of_a_deleted_key_do_not_fail_those_of_others(
    living: None, caplog: pytest.LogCaptureFixture
) -> None:
    gone, alive = Principal(987_654_321, "bob", "", False, True, False, None), await key()
    await spend(limits.current(), gone, 5)
    await spend(limits.current(), alive, 5)
    await eventually(lambda: has_spent(alive, 5))
    assert not caplog.records


async def test_the_tokens_of_a_deleted_key_are_deleted(living: None) -> None:
    principal = await key()
    await spend(limits.current(), principal, 5)
    await eventually(lambda: has_spent(principal, 5))
    api_key = await ApiKey.objects.aget(pk=principal.id)
    await sync_to_async(actions.delete)(api_key, by=BY)
    assert not await TokenUsage.objects.aexists()


async def test_a_changed_limit_applies_at_once(living: None) -> None:
    issued = await sync_to_async(actions.issue)(by=BY, name="alice")
    async with feed.listening():
        await eventually(is_live)
        await authentication.authenticate(f"Bearer {issued.key}")
        await ApiKey.objects.filter(pk=issued.api_key.pk).aupdate(requests_per_minute=3)
        await eventually(lambda: has_limit(issued.key, 3))


async def is_live() -> bool:
    return feed.max_age() == float("inf")


async def has_limit(key: str, expected: int) -> bool:
    principal = await authentication.authenticate(f"Bearer {key}")
    return principal.limits.requests_per_minute == expected


async def test_webhooks_are_told_once_a_month_when_a_budget_is_nearly_spent(living: None) -> None:
    await sync_to_async(Webhook.objects.create)(name="pager", url="https://1.1.1.1/", events=["budget.near"])
    principal, unlimited = await key(tokens_per_month=1_000), await key(name="bob")

    async def told() -> list[int]:
        return [event.data["percent"] async for event in OutboxEvent.objects.order_by("id")]

    await budget._write([(principal.id, 790), (unlimited.id, 10_000)])
    assert await told() == []
    for tokens, percents in ((10, [80]), (50, [80]), (100, [80, 95]), (40, [80, 95]), (10, [80, 95, 100])):
        await budget._write([(principal.id, tokens)])
        assert await told() == percents
    await budget._write([(principal.id, 5_000)])
    assert await told() == [80, 95, 100]
    event = await OutboxEvent.objects.afirst()
    assert event.data == {
        "id": principal.id,
        "name": "alice",
        "percent": 100,
        "tokens": 1_000,
        "limit": 1_000,
    }
    await TokenUsage.objects.aupdate(month=date(2020, 1, 1))
    await budget._write([(principal.id, 2_000)])
    assert await told() == [80, 95, 100, 100]
