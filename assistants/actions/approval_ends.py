"""Ends of approvals that nobody has decided about, and of results that nobody has fetched."""

from django.utils import timezone

from assistants.actions import approval_moves as moves
from assistants.actions.approval_askers import Askers
from assistants.models import Approval, ApprovalState
from core import pruning
from core.actor import Actor

_COLUMNS = ("state", "owner", "assistant_id", "assistant_slug", "server", "function")
_SYSTEM = Actor.system("approvals")


def expire() -> int:
    """Ends calls that nobody has decided about in time, and returns their number. Beat has it done."""
    due = Approval.objects.filter(state=ApprovalState.WAITING, expires_at__lte=timezone.now())
    return sum(
        moves.move(row, ApprovalState.EXPIRED, by=_SYSTEM, action="expired", code_hash="")
        for row in due.undecrypted()[: pruning.BATCH]
    )


def cancel_orphans() -> int:
    """Ends waiting calls whose key, person or assistant is gone, and returns their number."""
    waiting = list(Approval.objects.waiting().only(*_COLUMNS))
    askers = Askers(waiting)
    gone = [(row, reason) for row in waiting if (reason := askers.why_gone(row))]
    return sum(cancel(row, by=_SYSTEM, reason=reason) for row, reason in gone)


def are_to_be_made() -> bool:
    """Returns whether approved calls wait for a worker, or a worker was lost with one."""
    return Approval.objects.claimable().exists()


def cancel(approval: Approval, *, by: Actor, reason: str) -> bool:
    """Ends a call that waits; `reason` is for people and the model. Returns whether it still waited."""
    return moves.move(
        approval, ApprovalState.CANCELLED, by=by, action="cancelled", told={"reason": reason},
        reason=reason, code_hash="",
    )  # fmt: skip


def forget_results() -> None:
    """Erases the results that nobody has fetched in APPROVAL_RESULT_DAYS."""
    over = Approval.objects.filter(result_expires_at__lte=timezone.now())
    pruning.empty(over, ("result", "result_expires_at"))
