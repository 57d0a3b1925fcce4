"""Claims: one for each call, and what is told where a worker is lost between a claim and its result."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db.models.functions import Now

from assistants.actions import approvals
from assistants.approvals import NotMade, ask, claims, outcome
from assistants.approvals.claims import Claim
from assistants.models import Approval, ApprovalState
from tests.assistants.approvals.scene import TOOL, Scene, staff
from tools.functions import catalogue as tool_catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
DONE = {"result": {"content": []}}


async def approved(scene: Scene) -> int:
    number = (await ask(scene.question())).number
    await sync_to_async(lambda: approvals.approve(Approval.objects.get(pk=number), by=staff()))()
    return number


async def claimed(scene: Scene) -> Claim:
    claim = await claims.claim(await approved(scene))
    assert claim is not None
    return claim


@sync_to_async
def state(number: int) -> str:
    return Approval.objects.get(pk=number).state


async def lose_worker() -> None:
    await sync_to_async(Approval.objects.update)(lease_until=Now())


@sync_to_async
def annotate(scene: Scene, *, is_approved: bool, **hints: bool) -> None:
    """Has the tool say this of itself, and staff approve that or not."""
    tool_catalogue.record(scene.server.pk, [{**TOOL, "annotations": hints}])
    MCPTool.objects.update(approval="pinned" if is_approved else "auto")
    function = ToolFunction.objects.get()
    function.approved_hash = function.definition_hash if is_approved else ""
    function.save()
    Approval.objects.update(definition_hash=function.definition_hash)


async def test_workers_that_claim_at_once_get_one_claim(committed: Scene) -> None:
    number = await approved(committed)
    found = await asyncio.gather(*(claims.claim(number) for _ in range(8)))
    assert len([each for each in found if each is not None]) == 1
    assert await state(number) == ApprovalState.RUNNING


async def test_only_who_holds_the_fence_writes_the_result(committed: Scene) -> None:
    claim = await claimed(committed)
    stranger = replace(claim, fence=uuid4())
    assert not await claims.finish(stranger, DONE)
    await claims.lose(stranger, "somebody says so")
    assert await state(claim.number) == ApprovalState.RUNNING
    assert await claims.finish(claim, DONE)
    assert await state(claim.number) == ApprovalState.DONE


async def test_a_call_whose_worker_was_lost_is_not_made_again_but_told(committed: Scene) -> None:
    claim = await claimed(committed)
    await claims.tend_lost()
    assert await state(claim.number) == ApprovalState.RUNNING  # its lease still holds
    await lose_worker()
    await claims.tend_lost()
    assert await claims.approved(10) == []
    assert await claims.claim(claim.number) is None
    told = await outcome(claim.number, wait_s=0)
    assert isinstance(told, NotMade)
    assert told.state == ApprovalState.UNKNOWN_OUTCOME
    # The worker was only slow: what it brings now comes too late, and what was told stays.
    assert not await claims.finish(claim, DONE)
    assert await claims.renew([claim]) == set()


async def test_a_hint_that_nobody_has_approved_is_not_believed(committed: Scene) -> None:
    claim = await claimed(committed)
    await annotate(committed, is_approved=False, idempotentHint=True)
    await lose_worker()
    await claims.tend_lost()
    assert await state(claim.number) == ApprovalState.UNKNOWN_OUTCOME


async def test_an_approved_definition_that_may_be_called_twice_is_made_again_once(committed: Scene) -> None:
    claim = await claimed(committed)
    await annotate(committed, is_approved=True, idempotentHint=True)
    await lose_worker()
    await claims.tend_lost()
    assert await claims.approved(10) == [claim.number]
    again = await claims.claim(claim.number)
    assert again is not None
    assert not await claims.finish(claim, DONE)  # the first worker's fence is over
    await lose_worker()
    await claims.tend_lost()
    assert await state(claim.number) == ApprovalState.UNKNOWN_OUTCOME


async def test_a_read_only_hint_is_no_permission_to_repeat(committed: Scene) -> None:
    claim = await claimed(committed)
    await annotate(committed, is_approved=True, readOnlyHint=True)
    await lose_worker()
    await claims.tend_lost()
    assert await state(claim.number) == ApprovalState.UNKNOWN_OUTCOME
