"""Calls that are asked about become rows, or join them: exactly, whoever asks at once."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apikeys.models import AuditEntry
from assistants.actions import approvals
from assistants.actions.approval_codes import CODE, is_code_of
from assistants.approvals import NotMade, Question, Ticket, TooManyWaiting, ask, delivered, outcome
from assistants.approvals.asking import MOST_OF_A_RUN, MOST_WAITING
from assistants.models import Approval, ApprovalState, Approver
from tests.assistants.approvals.scene import BY, Scene, staff

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def rows() -> list[Approval]:
    return list(Approval.objects.order_by("pk"))


async def asked_at_once(questions: list[Question]) -> list[Any]:
    return await asyncio.gather(*map(ask, questions), return_exceptions=True)


async def test_a_question_is_a_row_with_an_audit_entry_that_holds_no_argument(committed: Scene) -> None:
    ticket = await ask(committed.question({"to": "secret-person"}, end_user="eve", session="s1"))
    [row] = await rows()
    assert ticket == Ticket(row.number, Approver.STAFF)
    assert (row.state, row.server, row.function, row.arguments) == (
        "waiting",
        "Bank",
        "pay",
        {"to": "secret-person"},
    )
    assert (row.owner, row.api_key_name, row.assistant_slug, row.run_id) == (
        str(committed.key.pk), "alice", "shop", "run_1",
    )  # fmt: skip
    assert (row.end_user, row.session, row.rule_name) == ("eve", "s1", "Payments")
    entry = await sync_to_async(AuditEntry.objects.get)(object_kind="approval")
    assert (entry.action, entry.object_id, entry.actor_kind, entry.actor_name) == (
        "asked",
        row.pk,
        "key",
        "alice",
    )
    assert "secret-person" not in str(entry.after)


async def test_equal_calls_at_once_are_one_row(committed: Scene) -> None:
    tickets = await asked_at_once([committed.question(run_id=f"run_{n}") for n in range(8)])
    [row] = await rows()
    assert {ticket.number for ticket in tickets} == {row.number}


async def test_arguments_that_json_allows_can_be_asked_about(committed: Scene) -> None:
    """Also an integer beyond 64 bits."""
    tickets = [await ask(committed.question({"to": "bob", "amount": 2**70})) for _ in range(2)]
    [row] = await rows()
    assert (row.arguments["amount"], {ticket.number for ticket in tickets}) == (2**70, {row.number})


@pytest.mark.parametrize(
    "other", [{"end_user": "eve"}, {"transcript": "f" * 64}, {"arguments": {"to": "carol"}}]
)
async def test_calls_that_differ_do_not_join(committed: Scene, other: dict[str, Any]) -> None:
    tickets = [await ask(committed.question()), await ask(committed.question(**other))]
    assert len({ticket.number for ticket in tickets}) == 2


async def test_a_run_asks_five_times_at_most_however_fast(committed: Scene) -> None:
    questions = [committed.question({"to": f"person {n}"}) for n in range(12)]
    outcomes = await asked_at_once(questions)
    assert sum(isinstance(each, TooManyWaiting) for each in outcomes) == 12 - MOST_OF_A_RUN
    assert len(await rows()) == MOST_OF_A_RUN


async def test_a_key_has_fifty_waiting_calls_at_most_however_fast(committed: Scene) -> None:
    questions = [committed.question({"to": str(n)}, run_id=f"run_{n}") for n in range(MOST_WAITING + 6)]
    outcomes = await asked_at_once(questions)
    assert sum(isinstance(each, TooManyWaiting) for each in outcomes) == 6
    assert len(await rows()) == MOST_WAITING
    # One that is decided about makes place, and one that joins needs none.
    await sync_to_async(approvals.reject)((await rows())[0], by=await sync_to_async(staff)())
    await ask(committed.question({"to": "one more"}, run_id="run_x"))
    await ask(committed.question({"to": "one more"}, run_id="run_y"))
    with pytest.raises(TooManyWaiting):
        await ask(committed.question({"to": "too many"}, run_id="run_z"))


async def test_a_code_is_given_once_and_a_joining_caller_gets_another(committed: Scene) -> None:
    first = await ask(committed.question(approver=Approver.CALLER))
    second = await ask(committed.question(approver=Approver.CALLER))
    [row] = await rows()
    assert CODE.fullmatch(first.code)
    assert CODE.fullmatch(second.code)
    assert not is_code_of(first.code, row.code_hash)
    assert is_code_of(second.code, row.code_hash)
    assert first.code not in repr(first)


async def test_staff_decide_where_a_later_question_is_stricter(committed: Scene) -> None:
    await ask(committed.question(approver=Approver.CALLER))
    assert await ask(committed.question()) == Ticket((await rows())[0].number, Approver.STAFF)
    assert await ask(committed.question(approver=Approver.CALLER)) == Ticket(
        (await rows())[0].number, Approver.STAFF
    )
    [row] = await rows()
    assert (row.approver, row.code_hash) == (Approver.STAFF, "")


async def test_an_equal_call_joins_an_outcome_until_it_is_delivered(committed: Scene) -> None:
    first = await ask(committed.question())
    await sync_to_async(approvals.reject)(
        (await rows())[0], by=await sync_to_async(staff)(), reason="Not him."
    )
    joined = await ask(committed.question(run_id="run_2"))
    assert joined.number == first.number
    told = await outcome(joined.number, wait_s=0)
    assert told == NotMade("Not called: a person rejected the call: Not him.", ApprovalState.REJECTED)
    await delivered([joined.number])
    assert (await ask(committed.question(run_id="run_3"))).number != first.number


async def test_what_expired_is_asked_anew(committed: Scene) -> None:
    first = await ask(committed.question())
    await sync_to_async(Approval.objects.update)(expires_at="2020-01-01T00:00Z")
    assert (await ask(committed.question(run_id="run_2"))).number != first.number
    assert await sync_to_async(approvals.expire)() == 1
    entry = await sync_to_async(AuditEntry.objects.get)(object_kind="approval", action="expired")
    assert entry.actor_kind == BY.kind
