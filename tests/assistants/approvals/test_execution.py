"""Approved calls are made once, by whoever claims them, if all that was approved still holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys import limits
from apikeys.authentication import authenticate
from apikeys.models import ApiKey, AuditEntry, TokenUsage
from assistants import actions, catalogue, rules
from assistants.actions import approval_askers as askers
from assistants.actions import approvals
from assistants.approvals import (
    Asker,
    Failure,
    NotMade,
    Question,
    Result,
    ask,
    execution,
    outcome,
    outcomes,
    standing,
    waiting,
)
from assistants.approvals.execution import ApprovedCalls
from assistants.models import Approval, ApprovalState, Approver, Assistant, Effect
from assistants.rules import Verdict
from connector.client import calls
from core import feed
from tests.assistants.approvals.scene import staff
from tests.connector.conftest import BY, Servers, orm, servers, supervise, wait_for
from tools import actions as tool_actions
from tools.functions import actions as function_actions
from tools.models import MCPTool, ToolFunction

__all__ = ["servers", "supervise"]
pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class World:
    server: MCPTool
    assistant: Assistant
    key: ApiKey
    asker: Asker
    log: Path

    async def ask(self, function: str = "echo", **arguments: Any) -> int:
        assert self.asker.assistant is not None
        entry = next(each for each in self.asker.assistant.functions if each.name == function)
        verdict = Verdict(Effect.ASK, arguments, rule_name="R", approver=Approver.STAFF)
        return (await ask(Question(self.asker, entry, arguments, verdict))).number

    @property
    def made(self) -> list[Any]:
        """The arguments of the calls that the server got."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
async def world(servers: Servers, supervise: Any, tmp_path: Path) -> World:
    supervise()
    log = tmp_path / "calls"
    server = await servers.running("structured", env={"FAKE_CALLS": str(log)})
    issued = await orm(key_actions.issue)(by=BY, name="alice", tokens_per_month=100)
    assistant = await orm(actions.create)(by=BY, name="Shop", tools=[server], api_keys=[issued.api_key])
    principal = await authenticate(f"Bearer {issued.key}")
    asker = Asker(principal, "run_1", assistant=await catalogue.find("shop", principal))
    return World(server, assistant, issued.api_key, asker, log)


@asynccontextmanager
async def working(number: int = 1) -> AsyncIterator[list[ApprovedCalls]]:
    """Workers that make approved calls, all in this loop."""
    jobs = [ApprovedCalls() for _ in range(number)]
    async with feed.listening(), limits.lifespan(), calls.lifespan(), waiting.lifespan():
        tasks = [asyncio.create_task(job.live()) for job in jobs]
        try:
            yield jobs
        finally:
            for job in jobs:
                job.stop()
            await asyncio.gather(*tasks)


@orm
def approve(number: int, **options: Any) -> None:
    approvals.approve(Approval.objects.get(pk=number), by=staff("olga"), **options)


@orm
def row(number: int) -> Approval:
    return Approval.objects.get(pk=number)


@orm
def audited(number: int) -> list[str]:
    entries = AuditEntry.objects.filter(object_kind="approval", object_id=number).order_by("pk")
    return list(entries.values_list("action", flat=True))


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


# --- what is checked at the claim ---


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


class Denying:
    is_empty, reads_touched = False, False

    def judge(self, call: Any) -> Verdict:
        return Verdict(Effect.DENY, call.arguments, rule_name="No", reason="Not any more.")


async def test_a_rule_that_denies_by_now_wins_over_the_approval(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await world.ask(word="hello")
    await approve(number)
    monkeypatch.setattr(rules, "of_sync", lambda *_: Denying())
    async with working():
        found = await outcome(number, wait_s=20)
    assert isinstance(found, NotMade)
    assert "Not any more." in found.text
    assert world.made == []


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


async def _is(number: int, state: ApprovalState) -> bool:
    return (await row(number)).state == state


async def test_a_call_is_cut_off_where_its_key_is_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "RENEW_S", 0.2)
    async with working():
        number = await world.ask("sleep", s=60)
        await approve(number)
        await wait_for(lambda: world.made, within_s=20)
        await orm(revoke_key)(world)
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
