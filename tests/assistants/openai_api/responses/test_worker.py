"""The worker of responses in the background, without rows, and what it writes, without a worker."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apikeys import actions as key_actions
from assistants.models import ResponseEvents, StoredResponse
from assistants.openai_api.responses import background_store
from assistants.openai_api.responses.held_runs import HeldRun
from assistants.openai_api.responses.worker import BackgroundResponses
from tests.connector.conftest import BY, orm


async def test_a_response_that_is_claimed_again_at_once_is_still_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lease is renewed by what is known here: a run that waited ends after the next one has begun."""
    ends = [asyncio.Event(), asyncio.Event()]
    waiting = iter(ends)

    async def respond(*_: Any) -> None:
        await next(waiting).wait()

    monkeypatch.setattr(BackgroundResponses, "_respond", respond)
    job = BackgroundResponses()
    for _ in ends:
        job._start(SimpleNamespace(pk=1, fence=uuid4(), request={}))  # type: ignore[arg-type]
        await asyncio.sleep(0)
    for number, end in enumerate(ends, start=1):
        end.set()
        await asyncio.sleep(0.01)
        assert len(job._running) == 2 - number


@orm
def queued() -> StoredResponse:
    return StoredResponse.objects.create(
        response_id="resp_1",
        api_key=key_actions.issue(by=BY, name="alice").api_key,
        status="queued",
        input=[],
        body={"status": "queued"},
        request={"body": {}},
        expires_at=timezone.now() + timedelta(hours=1),
    )


@pytest.mark.django_db(transaction=True)
async def test_a_worker_that_has_given_a_response_back_writes_nothing_more() -> None:
    """Its write may be repeated, as the connection broke after the commit, when another worker goes on."""
    await queued()
    event = {"sequence_number": 7, "type": "response.output_text.delta"}
    [first] = await background_store.claim(1)
    await background_store.wait(first, 0, HeldRun(), [])
    [second] = await background_store.claim(1)
    await background_store.wait(first, 0, HeldRun(), [event])
    await background_store.append(first, [event])
    await background_store.finish(first, {"status": "failed"}, [event])
    assert await background_store.renew([first.fence]) == set()
    assert await background_store.renew([second.fence]) == {second.fence}
    assert not await orm(ResponseEvents.objects.exists)()
    await background_store.finish(second, {"status": "completed"}, [event])
    row = await orm(StoredResponse.objects.get)()
    assert (row.status, row.body) == ("completed", {"status": "completed"})
    assert await orm(ResponseEvents.objects.count)() == 1
