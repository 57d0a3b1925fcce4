"""Decisions of callers that come with a conversation: a code in its last message, or approval items.

The caller of this has found the answer that waits, by the conversation before it; see `held_answers`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db.models import Q

from assistants.actions import approvals
from assistants.actions.approval_codes import is_code_of
from assistants.approvals import attempts, sentences
from assistants.approvals.asking import Asker
from assistants.models import Approval, Approver
from core.database import in_thread
from core.errors import Conflict, InvalidRequest


@dataclass(frozen=True, slots=True)
class Item:
    """An approval item of the Responses API. `param`: where it is in the request.

    `approves` is None for a request that was sent back, whose `call` (label of the server, name, arguments as
    JSON) must be the one that waits.
    """

    param: str
    approves: bool | None = None
    reason: str = ""
    call: tuple[str, str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a message has decided. `agreed`: the numbers that it agrees to.

    `refusal`: the sentences that say why its code was not accepted, and that are all of the answer then.
    """

    agreed: Collection[int] = ()
    refusal: str = ""


@in_thread
def by_code(numbers: Collection[int], shown: str | None, said: str, asker: Asker) -> Decided:
    """Decides by the user's message.

    It counts only if the whole of it is a decision, and `shown`, the text of the answer before it, held its
    code; None where that text is as we stored it, which is without codes. Wrong codes count against the call.
    """
    if not attempts.is_attempt(said):
        return Decided()
    decision, rows = sentences.decision(said), _by_code(numbers, asker)
    if decision is None:
        return Decided(refusal=_refusal(rows, attempts.NOT_ALONE))
    callers = [row for row in rows if row.approver == Approver.CALLER]
    meant = [row for row in callers if is_code_of(decision.code, row.code_hash)]
    if meant and shown is not None and not sentences.has_code(shown, decision.code):
        return Decided(refusal=_refusal(rows, attempts.WRONG))
    decided = {row.pk for row in meant or callers if _decides(row, decision, asker)}
    refusal = "" if meant else _refusal(_by_code(numbers, asker), attempts.WRONG)
    return Decided(decided if decision.approves else (), refusal)


def _by_code(numbers: Collection[int], asker: Asker) -> list[Approval]:
    """Returns the calls that wait and that the caller decides about, or could before its codes were wrong."""
    rows = Approval.objects.waiting().filter(
        Q(approver=Approver.CALLER) | Q(wrong_codes__gte=approvals.MOST_WRONG_CODES),
        pk__in=list(numbers),
        owner=asker.owner,
        end_user=asker.end_user,
        session=asker.session,
    )
    return list(rows.order_by("pk"))


def _refusal(rows: Collection[Approval], why: str) -> str:
    lines = (
        attempts.not_accepted(row.pk, why, max(0, approvals.MOST_WRONG_CODES - row.wrong_codes))
        for row in rows
    )
    return "\n".join(lines)


def _decides(row: Approval, decision: sentences.Decision, asker: Asker) -> bool:
    try:
        approvals.decide_by_caller(row, by=asker.actor, approves=decision.approves, code=decision.code)
    except (Conflict, approvals.WrongCode):  # the model is told that it still waits, or how it was decided
        return False
    return True


@in_thread
def by_items(items: Collection[tuple[int, Item]], numbers: Collection[int], asker: Asker) -> set[int]:
    """Decides by approval items, and returns the numbers that they agree to. Raises InvalidRequest.

    All are checked before any decides. `numbers`: what waits in the conversation.
    """
    rows = {
        row.pk: row
        for row in Approval.objects.filter(pk__in=list(numbers), owner=asker.owner, end_user=asker.end_user)
    }
    answered: set[int] = set()
    for number, item in items:
        _check(item, rows.get(number))
        if item.approves is None:
            continue
        if number in answered:  # one might agree and the other not
            message = "This approval request is answered twice: send one answer."
            raise _invalid(item, message, "answered_twice")
        answered.add(number)
    return {
        number for number, item in items if item.approves is not None and _answer(rows[number], item, asker)
    }


def _check(item: Item, row: Approval | None) -> None:
    if row is None:
        raise _invalid(item, "No approval request with this id waits in this conversation.", "not_found")
    if item.approves is not None and row.approver != Approver.CALLER:
        raise _invalid(item, "Staff decide about this call: an approval response cannot.", "staff_decides")
    if item.call is not None and not _is_call_of(row, item.call):
        message = "The approval request is not the one that waits: its server, name or arguments differ."
        raise _invalid(item, message, "changed")


def _is_call_of(row: Approval, call: tuple[str, str, str]) -> bool:
    label, name, arguments = call
    slug = row.mcp_tool.slug if row.mcp_tool else label
    try:
        given: Any = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return False
    return (label, name, given) == (slug, row.function, row.arguments)


def _answer(row: Approval, item: Item, asker: Asker) -> bool:
    try:
        approvals.decide_by_caller(row, by=asker.actor, approves=bool(item.approves), reason=item.reason)
    except Conflict:  # it was decided before: the model is told how
        return False
    return bool(item.approves)


def _invalid(item: Item, message: str, code: str) -> InvalidRequest:
    return InvalidRequest(message, param=item.param, code=f"approval_{code}")
