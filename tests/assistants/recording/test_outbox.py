"""Runs that end together wait in Redis together. With a real Redis and database."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone
from redis import Redis

from apikeys.principal import Principal
from assistants.models import Run, RunStatus, ToolCall
from assistants.recording import Origin, outbox, serialization
from assistants.recording.records import CallRecord, RunRecord
from tools.secrets.encryption import encrypt

pytestmark = pytest.mark.django_db(transaction=True)
ALICE = Principal(1, "alice", "ak-123456", False, True, False, None)


@pytest.fixture
def redis() -> Iterator["Redis"]:
    with Redis.from_url(settings.REDIS_URL) as connection:
        connection.delete(outbox.KEY)
        yield connection
        connection.delete(outbox.KEY)


@pytest.fixture
async def living(redis: "Redis") -> AsyncIterator[None]:
    async with outbox.lifespan():
        yield


def ended() -> RunRecord:
    origin = Origin(replace(ALICE, user_id=1), "req_1")
    return RunRecord(origin, None, "helper", "model", timezone.now(), RunStatus.COMPLETED, answer="Said.")


@sync_to_async
def recovered() -> set[str]:
    outbox.recover(older_than_s=0)
    return set(Run.objects.filter(status=RunStatus.COMPLETED).values_list("run_id", flat=True))


async def test_runs_that_end_together_are_one_entry_and_are_all_recovered(
    redis: "Redis", living: None
) -> None:
    records = [ended() for _ in range(20)]
    await asyncio.gather(*map(outbox.put, records))
    assert redis.hlen(outbox.KEY) <= 2
    assert await recovered() == {record.origin.run_id for record in records}
    assert redis.hlen(outbox.KEY) == 0


async def test_an_entry_stays_until_all_of_its_runs_are_rows(redis: "Redis", living: None) -> None:
    first, second = ended(), ended()
    await asyncio.gather(outbox.put(first), outbox.put(second))
    assert redis.hlen(outbox.KEY) == 1
    await outbox.remove([first.origin.run_id])
    assert redis.hlen(outbox.KEY) == 1
    await outbox.remove([second.origin.run_id])
    assert redis.hlen(outbox.KEY) == 0


async def test_an_entry_of_an_older_release_is_recovered(redis: "Redis") -> None:
    record = ended()
    redis.hset(outbox.KEY, record.origin.run_id, encrypt({"at": 1.0, "record": serialization.dump(record)}))
    assert await recovered() == {record.origin.run_id}


async def test_an_entry_from_before_the_clock_was_set_back_does_not_wait(redis: "Redis") -> None:
    record, present = ended(), ended()
    for each, at in ((record, time.time() + 3600), (present, time.time())):
        entry = encrypt({"at": at, "records": [serialization.dump(each)]})
        redis.hset(outbox.KEY, each.origin.run_id, entry)
    assert await sync_to_async(outbox.recover)() == 1
    assert redis.hkeys(outbox.KEY) == [present.origin.run_id.encode()]


async def test_a_run_that_json_cannot_hold_does_not_fail_the_others(redis: "Redis", living: None) -> None:
    call = CallRecord(None, "Fake", "echo", arguments={"number": 2**70})
    bad, good = replace(ended(), calls=(call,)), ended()
    await asyncio.gather(outbox.put(bad), outbox.put(good))
    assert await recovered() == {good.origin.run_id}


async def test_fields_of_a_later_release_are_left_out(redis: "Redis") -> None:
    call = CallRecord(None, "Time", "now", ToolCall.Status.OK)
    record = replace(ended(), calls=(call,))
    dumped = serialization.dump(record)
    for part in (dumped, dumped["origin"], dumped["origin"]["principal"], dumped["calls"][0]):
        part["later"] = {"new": 1}
    redis.hset(outbox.KEY, "later", encrypt({"at": 1.0, "records": [dumped], "later": 1}))
    assert await recovered() == {record.origin.run_id}


async def test_a_run_that_only_a_later_release_can_read_waits_for_it_and_holds_no_other_up(
    redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    record = ended()
    redis.hset(outbox.KEY, "mine", encrypt({"at": 1.0, "records": [serialization.dump(record)]}))
    later = {**serialization.dump(ended()), "kind": "telepathy"}
    redis.hset(outbox.KEY, "later", encrypt({"at": 1.0, "records": [later]}))
    redis.hset(outbox.KEY, "other", encrypt({"when": 1.0}))
    assert await recovered() == {record.origin.run_id}
    assert set(redis.hkeys(outbox.KEY)) == {b"later", b"other"}
    assert "cannot be read by this release (ValueError)" in caplog.text
