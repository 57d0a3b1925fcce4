"""Approved calls are made once, by whoever claims them."""

import asyncio
import json
from typing import Any

import pytest

from apikeys import actions as key_actions
from assistants import actions
from assistants.approvals import (
    Failure,
    NotMade,
    Result,
    execution,
    outcome,
    outcomes,
)
from assistants.models import Approval, ApprovalState
from tests.assistants.approvals.world import World, approve, audited, row, working, world
from tests.connector.conftest import BY, orm, servers, supervise, wait_for
from tools.models import MCPTool

__all__ = ["servers", "supervise", "world"]
pytestmark = pytest.mark.django_db(transaction=True)


async def test_nothing_is_called_before_the_yes_and_once_after_it(world: World) -> None:
    async with working(3):
        number = await world.ask(word="hello")
        assert await outcome(number, wait_s=1) is None
        assert world.made == []
        await approve(number)
        found = await outcome(number, wait_s=20)
    assert isinstance(found, Result)
    assert (found.arguments, found.was_edited, found.note) == ({"word": "hello"}, False, "")
    assert json.loads(found.result["content"][0]["text"]) == {"word": "hello"}
    assert world.made == [{"word": "hello"}]
    assert await audited(number) == ["asked", "approved", "begun", "made"]
    assert (await row(number)).result_expires_at is not None


async def test_many_calls_are_made_once_each_by_several_workers(world: World) -> None:
    numbers = [await world.ask(number=n) for n in range(5)]
    await orm(Approval.objects.update)(run_id="other")
    numbers += [await world.ask(number=n) for n in range(5, 10)]
    async with working(4):
        await asyncio.gather(*(approve(number) for number in numbers))
        found = await asyncio.gather(*(outcome(number, wait_s=20) for number in numbers))
    assert all(isinstance(each, Result) for each in found)
    assert sorted(each["number"] for each in world.made) == list(range(10))


async def test_what_is_kept_of_a_result_is_what_may_be_seen(world: World) -> None:
    """Whoever delivers it, and whenever: secrets are masked before, and no code of ours stands in it."""
    await orm(actions.update)(world.assistant, by=BY, masks_secrets=True)
    async with working():
        number = await world.ask(word="ghp_q8Zr2LmT5vXw9BnK3cJd7FhG1sPyA4eUoI6x apc-aaaabbbbcccc")
        await approve(number)
        found = await outcome(number, wait_s=20)
    assert isinstance(found, Result)
    assert json.loads(found.result["content"][0]["text"]) == {"word": "[masked: github-pat] (code)"}


async def test_edited_arguments_are_what_is_called_and_the_model_is_told(world: World) -> None:
    async with working():
        number = await world.ask(word="hello")
        await approve(number, arguments={"word": "bye"})
        found = await outcome(number, wait_s=20)
    assert isinstance(found, Result)
    assert world.made == [{"word": "bye"}]
    assert found.was_edited
    assert '{"word":"bye"}' in found.note


async def test_a_call_that_fails_is_told_and_not_repeated(world: World) -> None:
    async with working():
        number = await world.ask("fail")
        await approve(number)
        failed = await outcome(number, wait_s=20)
        number = await world.ask("sleep", s=30)
        await orm(MCPTool.objects.update)(call_timeout_s=1)
        await approve(number)
        late = await outcome(number, wait_s=20)
    assert isinstance(failed, Result)
    assert failed.result["isError"] is True
    assert isinstance(late, Failure)
    assert late.code == "tool_timeout"
    assert len(world.made) == 2


async def test_a_server_that_ends_during_the_call_leaves_an_unknown_outcome(world: World) -> None:
    async with working():
        number = await world.ask("crash")
        await approve(number)
        found = await outcome(number, wait_s=20)
    assert isinstance(found, NotMade)
    assert (found.state, world.made) == (ApprovalState.UNKNOWN_OUTCOME, [{}])
    assert "Unknown outcome" in found.text


async def test_a_call_is_cut_off_where_its_key_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "RENEW_S", 0.2)
    async with working():
        number = await world.ask("sleep", s=60)
        await approve(number)
        await wait_for(lambda: world.made, within_s=20)
        await orm(key_actions.disable)(world.key, by=BY)
        found = await outcome(number, wait_s=20)
    assert found == NotMade(outcomes.UNKNOWN % f": {execution.TAKEN_AWAY}", ApprovalState.UNKNOWN_OUTCOME)


async def test_a_worker_that_stops_tells_what_it_cuts_off(world: World, settings: Any) -> None:
    settings.SUPERVISOR_DRAIN_S = 0.5
    async with working() as [job]:
        quick, slow = await world.ask("sleep", s=0.3), await world.ask("sleep", s=60)
        await approve(quick)
        await approve(slow)
        await wait_for(lambda: len(world.made) == 2, within_s=20)
        later = await world.ask(word="later")
        job.stop()
        await approve(later)
        assert isinstance(await outcome(quick, wait_s=20), Result)
        cut = await outcome(slow, wait_s=20)
        assert cut == NotMade(outcomes.UNKNOWN % f": {execution.STOPPED}", ApprovalState.UNKNOWN_OUTCOME)
        assert await outcome(later, wait_s=0) is None
    async with working():
        assert isinstance(await outcome(later, wait_s=20), Result)
