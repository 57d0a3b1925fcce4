"""Calls that are asked about: rules, decisions, and what a worker does then."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from django.db import transaction

from assistants.actions import approval_moves, approvals
from assistants.approvals import made_calls
from assistants.models import Approval, ApprovalState, Effect, Rule, ToolCall
from assistants.tool_calls import Asked, NotCalled, call
from connector.client.requests import Exchange
from tests.assistants.approvals.scene import staff
from tests.assistants.tool_calls.test_calls import function_of
from tests.connector.conftest import BY, orm, wait_for

RESULT = {
    "content": [{"type": "text", "text": "2 g"}, {"type": "image", "data": "AA==", "mimeType": "image/png"}],
    "structuredContent": {"grams": 4},
    "_meta": {"example.com/shelf": 3},
}
FORMS = Exchange(capabilities={"elicitation": {}})
ARGUMENTS = {"thing": "egg"}


@orm
def rule(effect: Effect, **fields: Any) -> None:
    Rule.objects.create(name=f"Rule {effect}", effect=effect, **fields)


@orm
def decide(*, approves: bool = True, **options: Any) -> None:
    verb = approvals.approve if approves else approvals.reject
    verb(Approval.objects.get(), by=staff(), **options)


@orm
def make(result: dict[str, Any]) -> None:
    """What a worker does with an approved call."""
    row = Approval.objects.get(state=ApprovalState.APPROVED)
    with transaction.atomic():
        assert approval_moves.move(
            row, ApprovalState.DONE, by=BY, action="made", of=[ApprovalState.APPROVED], result=result
        )
        made_calls.record(row)


@orm
def row() -> Approval:
    return Approval.objects.get()


@orm
def calls_recorded() -> list[tuple[str, str, str, str]]:
    made = ToolCall.objects.order_by("pk").values_list("run__status", "run__error", "status", "error")
    return list(made)


async def held(asked: Asked, exchange: Exchange = FORMS, **arguments: Any) -> "asyncio.Task[Any]":
    """Begins a call that waits."""
    made = asyncio.create_task(
        call(asked, function_of(asked, "weigh"), {**ARGUMENTS, **arguments}, exchange)  # type: ignore[arg-type]
    )
    await wait_for(orm(Approval.objects.exists))
    return made


async def told(work: Awaitable[Any]) -> str:
    with pytest.raises(NotCalled) as refusal:
        await work
    return str(refusal.value)
