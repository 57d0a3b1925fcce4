"""Calls that rules forbid, mask or want staff to agree to, as MCP clients and REST make them."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys.errors import InvalidApiKey
from apikeys.models import ApiKey
from assistants import catalogue, filtering
from assistants.agent import cancellation
from assistants.approvals import touched, waiting
from assistants.models import Approval, ApprovalState, Effect, Rule, Run, ToolCall
from assistants.tool_api.errors import NotMade
from assistants.tool_calls import ApprovalPending, Asked, Called, NotCalled, call
from connector.errors import CallFailed
from connector.wire.results import Progress
from core.errors import ServerStopping
from tests.assistants.tool_calls.approving import (
    ARGUMENTS,
    FORMS,
    RESULT,
    calls_recorded,
    decide,
    held,
    make,
    row,
    rule,
    told,
)
from tests.assistants.tool_calls.conftest import Scene, recording_calls
from tests.assistants.tool_calls.test_calls import function_of
from tests.connector.conftest import BY, orm, wait_for
from tools.models import Label, ToolFunction


@pytest.fixture
def short(settings: Any) -> None:
    """Nothing is held for longer than it takes to look."""
    settings.APPROVAL_HOLD_S = 0.1


async def test_a_rule_forbids_a_call_and_says_why(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene("structured")
        await rule(Effect.DENY, reason="Eggs are fragile.", conditions={"functions": ["fake__weigh"]})
        said = await told(call(asked, function_of(asked, "weigh"), ARGUMENTS))
        assert isinstance(await call(asked, function_of(asked, "echo"), {}), Called)
    assert "Eggs are fragile." in said
    assert await calls_recorded() == [
        ("failed", "denied_by_rule", "error", "denied_by_rule"),
        ("completed", "", "ok", ""),
    ]
    assert not await orm(Approval.objects.exists)()


async def test_the_filter_has_a_code_of_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: Any) -> dict[str, Any]:
        raise filtering.FilterRefused("Not on Sundays.")

    monkeypatch.setattr(filtering, "filter_call", refuses)
    async with recording_calls():
        asked = await scene("structured")
        assert "Not on Sundays." in await told(call(asked, function_of(asked, "weigh"), ARGUMENTS))
    assert await calls_recorded() == [("failed", "denied_by_filter", "error", "denied_by_filter")]


@pytest.mark.parametrize("code", ["denied_by_rule", "denied_by_filter"])
async def test_a_call_that_falls_when_the_worker_comes_to_it_was_not_made(scene: Scene, code: str) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        await decide()
        await make({"failure": {"code": code, "message": "Not on Sundays."}})
        with pytest.raises(NotCalled) as refused:
            await made
    assert (refused.value.code, NotMade(refused.value, "").status_code) == (code, 403)


async def test_a_rule_masks_arguments_before_server_and_record(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene("structured", store_bodies=True)
        await rule(Effect.MASK, mask=["$.card.number"])
        answer = await call(asked, function_of(asked, "echo"), {"card": {"number": "4111", "name": "Ada"}})
    assert isinstance(answer, Called)
    assert "4111" not in answer.result["content"][0]["text"]
    assert "Ada" in answer.result["content"][0]["text"]
    made = await orm(ToolCall.objects.get)()
    assert made.arguments["card"]["name"] == "Ada"
    assert "4111" not in str(made.arguments)


@pytest.mark.usefixtures("short")
async def test_masks_apply_to_what_is_asked_about_too(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured", store_bodies=True)
        await rule(Effect.MASK, mask=["$.thing"])
        await rule(Effect.ASK, scope=Rule.Scope.ASSISTANT, assistant_id=asked.assistant.id)  # type: ignore[union-attr]
        with pytest.raises(ApprovalPending):
            await call(asked, function_of(asked, "weigh"), {"thing": "egg", "times": 3})
    made = await orm(ToolCall.objects.get)()
    assert made.arguments == (await row()).arguments
    assert made.arguments["times"] == 3
    assert made.arguments["thing"] != "egg"


async def test_a_held_call_has_the_result_as_if_it_had_been_slow(scene: Scene) -> None:
    reports: list[Progress] = []
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(replace(asked, end_user="eve"), replace(FORMS, on_progress=reports.append))
        await wait_for(lambda: reports)
        await decide()
        await make({"result": RESULT})
        assert await made == Called(RESULT)
    asking = await row()
    assert reports[0].message == f"Waiting for approval {asking.number}."
    assert (asking.kind, asking.end_user, asking.function) == ("mcp", "eve", "weigh")
    assert asking.delivered_at is not None
    run = await orm(Run.objects.get)()
    assert (run.run_id, run.end_user) == (asking.run_id, "eve")
    assert await calls_recorded() == [("completed", "", "ok", "")]


@pytest.mark.usefixtures("short")
async def test_an_equal_call_joins_what_waits_and_gets_the_result_once(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        weigh = function_of(asked, "weigh")
        with pytest.raises(ApprovalPending) as pending:
            await call(asked, weigh, ARGUMENTS)
        number = (await row()).number
        assert pending.value.number == number
        assert f"approval {number}" in str(pending.value)
        assert f"/admin/assistants/approval/{number}/" in str(pending.value)
        assert "same arguments" in str(pending.value)
        with pytest.raises(ApprovalPending):
            await call(asked, weigh, ARGUMENTS)
        await decide()
        await make({"result": RESULT})
        assert await call(asked, weigh, ARGUMENTS) == Called(RESULT)
        with pytest.raises(ApprovalPending) as anew:
            await call(asked, weigh, ARGUMENTS)
    assert anew.value.number != number
    # The call stands in the run that asked about it, which ended before it was made.
    assert (await calls_recorded())[0] == ("completed", "approval_pending", "ok", "")
    calls = await orm(lambda: list(ToolCall.objects.order_by("pk").values_list("approval", flat=True)))()
    assert calls == [number, None, None, anew.value.number]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("change", [{"end_user": "eve"}, {"assistant": None}])
async def test_calls_of_others_do_not_join(scene: Scene, change: dict[str, Any]) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        weigh = function_of(asked, "weigh")
        for each in (asked, replace(asked, **change)):
            with pytest.raises(ApprovalPending):
                await call(each, weigh, ARGUMENTS)
    assert await orm(Approval.objects.count)() == 2


async def test_a_rejected_call_is_told_with_the_reason(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        await decide(approves=False, reason="Not today.")
        said = await told(made)
    assert "Not today." in said
    assert await calls_recorded() == [("failed", "not_approved", "error", "not_approved")]


async def test_a_call_that_failed_fails_like_a_direct_one(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        await decide()
        await make({"failure": {"code": "tool_timeout", "message": "It took too long."}})
        with pytest.raises(CallFailed) as failure:
            await made
    assert (failure.value.code, failure.value.message) == ("tool_timeout", "It took too long.")
    assert await calls_recorded() == [("failed", "tool_timeout", "error", "tool_timeout")]


async def test_changed_arguments_are_told_beside_the_result(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        await decide(arguments={"thing": "stone"})
        await make({"result": RESULT})
        answer = await made
    assert '{"thing":"stone"}' in answer.noted["content"][0]["text"]
    assert answer.noted["content"][1:] == RESULT["content"]
    assert answer.noted["structuredContent"] == RESULT["structuredContent"]


async def test_a_caller_who_leaves_leaves_the_call_waiting(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        made.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made
        assert (await row()).state == ApprovalState.WAITING
        await decide()
        await make({"result": RESULT})
        assert await call(asked, function_of(asked, "weigh"), ARGUMENTS) == Called(RESULT)


async def test_a_key_that_is_revoked_meanwhile_ends_the_waiting(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        made = await held(asked)
        await orm(lambda: key_actions.update(ApiKey.objects.get(), by=BY, is_disabled=True))()
        with pytest.raises(InvalidApiKey):
            await made
    assert (await row()).state == ApprovalState.WAITING  # beat cancels it
    assert await calls_recorded() == [("cancelled", "invalid_api_key", "cancelled", "")]


async def test_a_shutdown_ends_the_hold_with_what_waits(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        reports: list[Progress] = []
        made = await held(asked, replace(FORMS, on_progress=reports.append))
        await wait_for(lambda: reports)
        cancellation.cancel_all(ServerStopping())
        with pytest.raises(ApprovalPending) as pending:
            await made
    assert pending.value.number == (await row()).number
    assert (await row()).state == ApprovalState.WAITING


@pytest.mark.usefixtures("short")
async def test_too_much_that_waits_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistants.approvals.asking.MOST_WAITING", 2)
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK)
        weigh = function_of(asked, "weigh")
        for thing in ("egg", "stone"):
            with pytest.raises(ApprovalPending):
                await call(asked, weigh, {"thing": thing})
        said = await told(call(asked, weigh, {"thing": "feather"}))
    assert "2 calls wait for approval already" in said
    assert (await calls_recorded())[-1] == ("failed", "not_approved", "error", "not_approved")


async def test_what_a_session_has_touched_counts_for_its_next_calls(scene: Scene) -> None:
    async with recording_calls(), touched.lifespan():
        asked = replace(await scene("structured"), session="one", session_opened_at=time.time())
        await rule(Effect.DENY, conditions={"expression": "'reads_private' in touched"})
        await orm(ToolFunction.objects.filter(name="echo").update)(labels=[Label.READS_PRIVATE])

        async def labelled() -> Asked | None:
            again = replace(asked, assistant=await catalogue.find("shop", asked.principal))
            return again if function_of(again, "echo").labels else None

        asked = await wait_for(labelled)
        await call(asked, function_of(asked, "weigh"), ARGUMENTS)
        await call(asked, function_of(asked, "echo"), {})
        assert "forbids" in await told(call(asked, function_of(asked, "weigh"), ARGUMENTS))
        other = replace(asked, session="another")
        await call(other, function_of(asked, "weigh"), ARGUMENTS)
