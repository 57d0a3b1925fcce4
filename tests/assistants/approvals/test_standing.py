"""What was approved is checked anew when the call is claimed."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import TokenUsage
from assistants import actions
from assistants.actions import approval_askers as askers
from assistants.actions import approvals
from assistants.approvals import (
    NotMade,
    Result,
    outcome,
    standing,
)
from assistants.models import Approval, ApprovalState, Approver, Effect, Rule
from tests.assistants.approvals.world import World, approve, audited, row, working, world
from tests.connector.conftest import BY, orm, servers, supervise, wait_for
from tools import actions as tool_actions
from tools.functions import actions as function_actions
from tools.models import ToolFunction

__all__ = ["servers", "supervise", "world"]
pytestmark = pytest.mark.django_db(transaction=True)


def revoke_key(world: World) -> None:
    key_actions.disable(world.key, by=BY)


def disable_assistant(world: World) -> None:
    actions.update(world.assistant, by=BY, is_enabled=False)


def narrow_assistant(world: World) -> None:
    actions.update(world.assistant, by=BY, tools=[actions.ToolUse(world.server, functions=["pid"])])


def disable_function(world: World) -> None:
    function = ToolFunction.objects.get(server=world.server, name="echo")
    function_actions.update(function, by=BY, is_enabled=False)


def stop_server(world: World) -> None:
    tool_actions.stop(world.server, by=BY)


def spend_budget(world: World) -> None:
    TokenUsage.objects.create(api_key=world.key, month=timezone.now().date().replace(day=1), tokens=100)


def demote_decider(world: World) -> None:
    User.objects.get(username="olga").groups.clear()


def lock_out_decider(world: World) -> None:
    User.objects.filter(username="olga").update(is_active=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (revoke_key, askers.KEY_GONE),
        (disable_assistant, askers.ASSISTANT_GONE),
        (narrow_assistant, standing.NOT_USED),
        (disable_function, standing.NOT_OFFERED),
        (stop_server, standing.NOT_OFFERED),
        (spend_budget, standing.SPENT),
        (demote_decider, standing.DECIDER_GONE),
        (lock_out_decider, standing.DECIDER_GONE),
    ],
)
async def test_what_no_longer_holds_at_the_claim_keeps_the_call_from_being_made(
    world: World, change: Callable[[World], None], reason: str
) -> None:
    number = await world.ask(word="hello")
    await approve(number)
    await orm(change)(world)
    async with working():
        found = await outcome(number, wait_s=20)
    assert found == NotMade(f"Not called: the call was cancelled: {reason}", ApprovalState.CANCELLED)
    assert (world.made, await audited(number)) == ([], ["asked", "approved", "cancelled"])


async def test_a_rule_that_denies_by_now_wins_over_the_approval(world: World) -> None:
    number = await world.ask(word="hello")
    await approve(number)
    await orm(Rule.objects.create)(name="No", effect=Effect.DENY, reason="Not any more.")
    async with working():
        found = await outcome(number, wait_s=20)
    assert isinstance(found, NotMade)
    assert "Not any more." in found.text
    assert world.made == []


async def test_a_rule_that_asks_differently_by_now_does_not_ask_again(world: World) -> None:
    number = await world.ask(word="hello")
    await approve(number)
    await orm(Rule.objects.create)(name="All", effect=Effect.ASK, approver=Approver.CALLER)
    async with working():
        assert isinstance(await outcome(number, wait_s=20), Result)


async def test_what_staff_must_decide_by_now_is_not_made_by_the_callers_yes(world: World) -> None:
    number = await world.ask(word="hello")
    await orm(Approval.objects.update)(approver=Approver.CALLER)
    await orm(approvals.decide_by_caller)(await row(number), by=world.asker.actor, approves=True)
    await orm(Rule.objects.create)(name="All", effect=Effect.ASK, approver=Approver.STAFF)
    async with working():
        await wait_for(lambda: _is(number, ApprovalState.WAITING), within_s=20)
        assert ((await row(number)).approver, world.made) == (Approver.STAFF, [])
        await approve(number)
        assert isinstance(await outcome(number, wait_s=30), Result)


def change_definition(world: World) -> None:
    ToolFunction.objects.filter(server=world.server, name="echo").update(definition_hash="f" * 64)


def change_launch(world: World) -> None:
    tool_actions.update(world.server, by=BY, env={"FAKE_CALLS": str(world.log), "OTHER": "1"})


@pytest.mark.parametrize("change", [change_definition, change_launch])
async def test_another_definition_or_launch_is_asked_about_anew(
    world: World, change: Callable[[World], None]
) -> None:
    number = await world.ask(word="hello")
    await approve(number)
    await orm(change)(world)
    async with working():
        await wait_for(lambda: _is(number, ApprovalState.WAITING), within_s=20)
        asked = await row(number)
        assert (asked.decided_by, asked.decided_at, world.made) == ("", None, [])
        assert await audited(number) == ["asked", "approved", "asked anew"]
        await approve(number)
        assert isinstance(await outcome(number, wait_s=30), Result)
    assert world.made == [{"word": "hello"}]


async def test_what_is_asked_anew_is_what_was_asked_first_without_the_edit(world: World) -> None:
    """The page shows what a plain yes sends."""
    number = await world.ask(word="hello")
    await approve(number, arguments={"word": "bye"})
    await orm(change_definition)(world)
    async with working():
        await wait_for(lambda: _is(number, ApprovalState.WAITING), within_s=20)
        assert (await row(number)).sent_arguments == {"word": "hello"}
        await approve(number)
        found = await outcome(number, wait_s=30)
    assert isinstance(found, Result)
    assert (world.made, found.was_edited) == ([{"word": "hello"}], False)


async def _is(number: int, state: ApprovalState) -> bool:
    return (await row(number)).state == state
