"""Calls whose caller decides itself, by a form at the MCP client."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from assistants.approvals import waiting
from assistants.models import Approval, ApprovalState, Approver, Effect
from assistants.tool_calls import Asked, Called, call
from connector.client.requests import Exchange, InputRequired
from connector.errors import InvalidState
from tests.assistants.tool_calls.approving import (
    ARGUMENTS,
    FORMS,
    RESULT,
    calls_recorded,
    decide,
    make,
    row,
    rule,
    told,
)
from tests.assistants.tool_calls.conftest import Scene, recording_calls
from tests.assistants.tool_calls.test_calls import function_of
from tests.connector.conftest import orm, wait_for


async def asked_back(asked: Asked, **arguments: Any) -> tuple[InputRequired, dict[str, Any]]:
    """Returns the question, and its form."""
    given = {**ARGUMENTS, **arguments}
    question = await call(asked, function_of(asked, "weigh"), given, FORMS)
    assert isinstance(question, InputRequired)
    [request] = question.requests.values()
    assert request["method"] == "elicitation/create"
    return question, request["params"]


def answering(question: InputRequired, answer: Any) -> Exchange:
    return replace(FORMS, state=question.state, responses={"approval": answer})


TOKEN = "ghp_0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO"
APPROVED = {"action": "accept", "content": {"decision": "approve"}}
NO = [
    {"action": "accept", "content": {"decision": "reject", "reason": "Not him."}},
    {"action": "decline"},
    {"action": "cancel"},
]


async def test_the_caller_is_asked_by_a_form_and_its_yes_counts(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        question, form = await asked_back(asked, thing="egg\u202e", note=TOKEN)
        assert form["requestedSchema"]["properties"]["decision"]["enum"] == ["approve", "reject"]
        assert r"egg\u202e" in form["message"]
        assert TOKEN not in form["message"]
        given = {"thing": "egg\u202e", "note": TOKEN}
        weigh = function_of(asked, "weigh")
        made = asyncio.create_task(call(asked, weigh, given, answering(question, APPROVED)))  # type: ignore[arg-type]
        await wait_for(orm(Approval.objects.filter(state=ApprovalState.APPROVED).exists))
        await make({"result": RESULT})
        assert await made == Called(RESULT)
        # The same answer once more, and the call is not made once more.
        assert await call(asked, weigh, given, answering(question, APPROVED)) == Called(RESULT)
    decided = await row()
    assert (decided.decider_kind, decided.decided_by) == ("caller", "alice")
    assert await calls_recorded() == [
        ("completed", "", "ok", "input_required"), ("completed", "", "ok", ""), ("completed", "", "ok", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("answer", NO)
async def test_whatever_else_the_person_answers_rejects(scene: Scene, answer: dict[str, Any]) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        question, _ = await asked_back(asked)
        said = await told(call(asked, function_of(asked, "weigh"), ARGUMENTS, answering(question, answer)))
    assert "rejected" in said
    assert ("Not him." in said) == ("content" in answer)
    assert (await row()).state == ApprovalState.REJECTED


@pytest.mark.parametrize(
    "answer", [{"error": {"code": -32000, "message": "gone"}}, APPROVED | {"content": {}}]
)
async def test_without_an_answer_staff_may_decide(scene: Scene, answer: dict[str, Any]) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        question, _ = await asked_back(asked)
        said = await told(call(asked, function_of(asked, "weigh"), ARGUMENTS, answering(question, answer)))
        assert "staff may decide" in said
        await decide()
        await make({"result": RESULT})
        assert await call(asked, function_of(asked, "weigh"), ARGUMENTS, FORMS) == Called(RESULT)


async def test_a_client_without_forms_is_told_who_decides_instead(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        said = await told(call(asked, function_of(asked, "weigh"), ARGUMENTS))
    assert "cannot be asked: staff decide" in said
    assert f"approval {(await row()).number}" in said
    assert (await row()).state == ApprovalState.WAITING


async def test_a_state_is_good_for_its_own_call_alone(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        question, _ = await asked_back(asked)
        weigh = function_of(asked, "weigh")
        given = answering(question, APPROVED)
        for who, arguments, exchange in (
            (asked, {"thing": "stone"}, given),
            (replace(asked, end_user="eve"), ARGUMENTS, given),
            (replace(asked, principal=replace(asked.principal, id=7)), ARGUMENTS, replace(given, key_id=7)),
            (asked, ARGUMENTS, replace(given, state=question.state + "x")),
        ):
            with pytest.raises(InvalidState):
                await call(who, weigh, arguments, exchange)
    assert (await row()).state == ApprovalState.WAITING


async def test_the_caller_decides_nothing_after_staff(scene: Scene) -> None:
    async with recording_calls(), waiting.lifespan():
        asked = await scene("structured")
        await rule(Effect.ASK, approver=Approver.CALLER)
        question, _ = await asked_back(asked)
        await decide(approves=False, reason="Staff said no.")
        said = await told(call(asked, function_of(asked, "weigh"), ARGUMENTS, answering(question, APPROVED)))
    assert "Staff said no." in said
