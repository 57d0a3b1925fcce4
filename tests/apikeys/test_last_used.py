import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys import actions, keys, last_used, limits
from apikeys.actions import IssuedKey
from apikeys.authentication import authenticate
from apikeys.errors import InvalidApiKey
from apikeys.models import ApiKey, AuditEntry
from core.actor import Actor

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def living() -> AsyncIterator[None]:
    async with limits.lifespan():
        yield


@pytest.fixture
async def issued() -> IssuedKey:
    last_used._noted.clear()
    return await sync_to_async(actions.issue)(by=BY, name="alice", can_manage=True)


async def written(issued: IssuedKey, since: datetime | None = None) -> datetime:
    async with asyncio.timeout(20):
        while True:
            row = await ApiKey.objects.aget(pk=issued.api_key.pk)
            if row.last_used_at not in (None, since):
                return row.last_used_at
            await asyncio.sleep(0.01)


async def test_a_call_is_written_in_the_background(living: None, issued: IssuedKey) -> None:
    await authenticate(f"Bearer {issued.key}")
    assert abs(await written(issued) - timezone.now()) < timedelta(seconds=3)


async def test_the_management_api_counts_too(living: None, issued: IssuedKey) -> None:
    client = APIClient(headers={"Authorization": f"Bearer {issued.key}"})
    assert (await sync_to_async(client.get)("/api/v1/api-keys")).status_code == 200
    await written(issued)


async def test_all_processes_together_write_once_a_minute(living: None, issued: IssuedKey) -> None:
    await authenticate(f"Bearer {issued.key}")
    first = await written(issued)
    for _ in range(3):
        last_used._noted.clear()  # as in a process that knows of no earlier use
        await authenticate(f"Bearer {issued.key}")
        await asyncio.sleep(0.1)
    assert (await ApiKey.objects.aget()).last_used_at == first


async def test_after_a_minute_it_is_written_again(living: None, issued: IssuedKey) -> None:
    before = timezone.now() - timedelta(seconds=61)
    await ApiKey.objects.aupdate(last_used_at=before)
    await authenticate(f"Bearer {issued.key}")
    assert await written(issued, since=before) - before > timedelta(seconds=60)


async def test_a_process_tries_rarely(issued: IssuedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(last_used.writer, "add", asked.append)
    for _ in range(100):
        await authenticate(f"Bearer {issued.key}")
    assert asked == [issued.api_key.pk]


async def test_a_refused_key_was_not_used(issued: IssuedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_used.writer, "add", lambda api_key_id: pytest.fail("it was noted"))
    await sync_to_async(actions.disable)(issued.api_key, by=BY)
    for key in (issued.key, keys.generate()):
        with pytest.raises(InvalidApiKey):
            await authenticate(f"Bearer {key}")


async def test_use_is_neither_audited_nor_a_new_version(living: None, issued: IssuedKey) -> None:
    """Else every use would conflict with an edit by `If-Match`."""
    stale = await ApiKey.objects.aget()
    await authenticate(f"Bearer {issued.key}")
    await written(issued)
    await sync_to_async(actions.update)(stale, by=BY, name="bob")
    entry = await AuditEntry.objects.aget(action="updated")
    assert entry.after == {"name": "bob"}
