"""Claims of approved calls: which worker makes one, under a lease with a fence, and how the call ended.

A claim is the only way to a call, and there is one for each approval: what a lost worker has begun is not
begun again, unless staff have approved a definition that says that calling twice does no harm.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from apikeys.models import AuditEntry
from assistants.actions import approval_moves as moves
from assistants.actions.approval_askers import Askers
from assistants.actions.approval_edits import function_of
from assistants.approvals import made_calls
from assistants.approvals.standing import Changed, Fell, Stands, standing
from assistants.catalogue import FunctionEntry
from assistants.filtering import About
from assistants.models import Approval, ApprovalState, Approver, Assistant, AssistantTool
from core.actor import Actor
from core.database import in_thread

LEASE_S = 15.0
BY = Actor.system("approvals")
LOST = "the worker that made the call was lost."
REPEATED = "repeated"


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A call that this worker has to make now, and nobody else."""

    number: int
    fence: UUID
    function: FunctionEntry
    arguments: dict[str, Any] = field(repr=False)
    key_id: int
    about: About
    masks_secrets: bool
    """Whether secrets in its result are masked."""
    began: float = field(default_factory=monotonic)


@in_thread
def approved(most: int) -> list[int]:
    """Returns the numbers of calls that wait for a worker, the oldest first."""
    rows = Approval.objects.filter(state=ApprovalState.APPROVED).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:most])


@in_thread
@transaction.atomic
def claim(number: int) -> Claim | None:
    """Claims an approved call that still stands. None: it does not, or another worker has it."""
    rows = Approval.objects.filter(pk=number, state=ApprovalState.APPROVED)
    row = rows.select_for_update(skip_locked=True, of=("self",)).first()
    if row is None:
        return None
    match standing(row):
        case Stands(function, arguments):
            return _claimed(row, function, arguments)
        case Changed(function, approver):
            _ask_anew(row, function, approver)
        case Fell(reason):
            _move(row, ApprovalState.CANCELLED, "cancelled", of=ApprovalState.APPROVED, reason=reason)
    return None


@in_thread
def renew(claims: Collection[Claim]) -> set[UUID]:
    """Renews the leases of the calls that may go on, and returns their fences.

    The others were taken for lost, or whoever asked may not call any more.
    """
    rows = Approval.objects.filter(fence__in=[each.fence for each in claims], state=ApprovalState.RUNNING)
    held = list(rows.undecrypted())
    askers = Askers(held)
    good = [row for row in held if askers.why_gone(row) is None]
    rows.filter(pk__in=[row.pk for row in good]).update(lease_until=_lease_end())
    return {row.fence for row in good if row.fence is not None}


@in_thread
@transaction.atomic
def finish(claim: Claim, result: dict[str, Any]) -> bool:
    """Keeps the result, and records the call. Returns whether the claim still held."""
    row = Approval.objects.undecrypted().filter(pk=claim.number).first()
    held = row is not None and _move(
        row, ApprovalState.DONE, "made", of=ApprovalState.RUNNING, given={"fence": claim.fence},
        result=result, lease_until=None,
    )  # fmt: skip
    if row is not None and held:
        made_calls.record(row, took_ms=round((monotonic() - claim.began) * 1000))
    return held


@in_thread
def lose(claim: Claim, reason: str) -> None:
    """Tells that nobody knows what became of the call."""
    row = Approval.objects.undecrypted().filter(pk=claim.number).first()
    if row is not None:
        _lose(row, claim.fence, reason)


@in_thread
def tend_lost() -> None:
    """Ends the calls whose workers were lost, or has them made once more where staff approved that."""
    lost = Approval.objects.filter(state=ApprovalState.RUNNING, lease_until__lte=Now())
    for row in lost.undecrypted():
        given = {"fence": row.fence, "lease_until__lte": Now()}
        if _is_repeatable(row):
            _move(
                row, ApprovalState.APPROVED, REPEATED, of=ApprovalState.RUNNING, given=given, fence=None,
                lease_until=None,
            )  # fmt: skip
        else:
            _lose(row, row.fence, LOST, lease_until__lte=Now())


def _claimed(row: Approval, function: FunctionEntry, arguments: dict[str, Any]) -> Claim:
    fence = uuid4()
    columns: dict[str, Any] = {"fence": fence, "lease_until": _lease_end()}
    _move(row, ApprovalState.RUNNING, "begun", of=ApprovalState.APPROVED, **columns)
    about = About(row.assistant_slug, row.key_prefix, row.end_user)
    key_id, masks_secrets = row.asking_key_id or 0, _masks_secrets(row)
    return Claim(row.pk, fence, function, arguments, key_id, about, masks_secrets)


def _masks_secrets(row: Approval) -> bool:
    """As `catalogue.masking` has it, from the database."""
    if row.assistant_slug:
        return Assistant.objects.filter(pk=row.assistant_id or 0, masks_secrets=True).exists()
    return AssistantTool.objects.filter(mcp_tool=row.mcp_tool_id, assistant__masks_secrets=True).exists()


def _ask_anew(row: Approval, function: FunctionEntry, approver: Approver) -> None:
    """Clears the decision, and what it changed: it was about another tool than now, or not theirs."""
    _move(
        row, ApprovalState.WAITING, "asked anew", of=ApprovalState.APPROVED, approver=approver,
        definition_hash=function.definition_hash, generation=function.generation,
        decided_by="", decider_kind="", decider_id=None, decided_at=None, edited_arguments=None,
        expires_at=timezone.now() + timedelta(hours=settings.APPROVAL_DUE_H),
    )  # fmt: skip


def _is_repeatable(row: Approval) -> bool:
    """Returns whether staff approved a definition by which it does no harm to call twice. Once, that is."""
    function = function_of(row)
    if function is None or not function.is_trusted or function.annotations.get("idempotentHint") is not True:
        return False
    entries = AuditEntry.objects.filter(object_kind="approval", object_id=row.pk, action=REPEATED)
    return not entries.exists()


@transaction.atomic
def _lose(row: Approval, fence: UUID | None, reason: str, **given: Any) -> None:
    is_lost = _move(
        row, ApprovalState.UNKNOWN_OUTCOME, "lost", of=ApprovalState.RUNNING,
        given={"fence": fence, **given}, reason=reason, lease_until=None,
    )  # fmt: skip
    if is_lost:
        made_calls.record(row)


def _move(
    row: Approval, to: ApprovalState, action: str, *, of: ApprovalState, given: Any = None, **columns: Any
) -> bool:
    told = {"reason": columns["reason"]} if "reason" in columns else {}
    return moves.move(row, to, by=BY, action=action, of=[of], given=given, told=told, **columns)


def _lease_end() -> CombinedExpression:
    """Returns when a lease that begins now ends, by the database's clock: workers' clocks differ."""
    return Now() + timedelta(seconds=LEASE_S)
