"""A conversation that goes on waits for the outcomes of its calls as a run waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys import limits
from apikeys.errors import InvalidApiKey, LimitReached
from assistants.actions import approvals
from assistants.agent import cancellation, continuing
from assistants.approvals import Asker, ask, held_answers, sentences, transcripts, waiting
from assistants.approvals.continued import Continued
from assistants.models import Approval
from core import feed
from tests.assistants.approvals.scene import BY, Scene, staff
from tests.connector.conftest import orm

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [{"role": "user", "content": "Pay them."}]


@pytest.fixture(autouse=True)
async def listening() -> AsyncIterator[None]:
    async with feed.listening(), limits.lifespan(), waiting.lifespan(), cancellation.lifespan():
        yield


@orm
def _approve(number: int) -> None:
    approvals.approve(Approval.objects.get(pk=number), by=staff())


async def _held(scene: Scene, most: int = 1) -> dict[str, int]:
    """Returns the numbers of calls that were approved, and that no worker makes, by their ids."""
    numbers = {}
    for n in range(most):
        ticket = await ask(scene.question({"to": f"person {n}"}))
        await _approve(ticket.number)
        numbers[f"call_{n}"] = ticket.number
    calls = [
        {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for call_id in numbers
    ]
    turn = {"role": "assistant", "content": None, "tool_calls": calls}
    await held_answers.save(scene.asker, transcripts.digest(BEFORE), [turn], numbers)
    return numbers


async def _continued(asker: Asker, numbers: Mapping[str, int], *, wait_s: float) -> Continued:
    text = "\n".join(map(sentences.mark, numbers.values()))
    held = {"role": "assistant", "content": text}
    said: list[dict[str, Any]] = [*BEFORE, held, {"role": "user", "content": "Well?"}]
    return await continuing.continued(said, asker, wait_s=wait_s)


async def test_all_outcomes_are_waited_for_at_once(committed: Scene) -> None:
    numbers = await _held(committed, 5)
    began = time.monotonic()
    continued = await _continued(committed.asker, numbers, wait_s=2)
    assert time.monotonic() - began < 8
    assert len([each for each in continued.messages if each["role"] == "tool"]) == 5


async def test_a_key_that_is_taken_away_ends_the_waiting(committed: Scene) -> None:
    numbers = await _held(committed)
    task = asyncio.create_task(_continued(committed.asker, numbers, wait_s=60))
    while not waiting._waiters:
        await asyncio.sleep(0.01)
    await orm(key_actions.disable)(committed.key, by=BY)
    with pytest.raises(InvalidApiKey):
        await asyncio.wait_for(task, 20)


async def test_who_waits_counts_as_a_concurrent_request(committed: Scene) -> None:
    numbers = await _held(committed)
    principal = committed.asker.principal
    one = replace(principal, limits=replace(principal.limits, concurrent_requests=1))
    async with limits.current().permit(one):
        with pytest.raises(LimitReached):
            await _continued(replace(committed.asker, principal=one), numbers, wait_s=60)
