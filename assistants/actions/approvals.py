"""The verbs of approvals. REST, the console, codes in chats and approval items decide through these alone."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from apikeys import audit
from assistants.actions import approval_moves as moves
from assistants.actions.approval_askers import require_asker
from assistants.actions.approval_codes import is_code_of
from assistants.actions.approval_edits import edited
from assistants.actions.approval_ends import cancel, cancel_orphans, expire
from assistants.actions.approval_rights import require_decider
from assistants.models import Approval, ApprovalState, Approver
from core.actor import Actor
from core.errors import Conflict
from core.validation import readable, text_problem

__all__ = [
    "WrongCode",
    "approve",
    "cancel",
    "cancel_orphans",
    "decide_by_caller",
    "expire",
    "reject",
    "reveal",
]

MOST_WRONG_CODES = 5
MOST_REASON = 1000
CALLER = "caller"


class WrongCode(Exception):
    """The code is not that of the call. `may_try_again`: else only staff may decide from now on."""

    def __init__(self, *, may_try_again: bool) -> None:
        super().__init__("The code is wrong.")
        self.may_try_again = may_try_again


def approve(approval: Approval, *, by: Actor, arguments: Mapping[str, Any] | None = None) -> Approval:
    """Has the call made, with other arguments where they are given. A worker makes it.

    Raises Conflict, Forbidden, ValidationError, InvalidArguments and Denied; then nothing has changed.
    """
    require_decider(approval, by)
    with transaction.atomic():
        asking = require_asker(approval)
        changed = None if arguments is None else edited(approval, arguments, asking)
        _decide(approval, ApprovalState.APPROVED, "approved", by=by, kind=by.kind, edited_arguments=changed)
    return approval


def reject(approval: Approval, *, by: Actor, reason: str = "") -> Approval:
    """Refuses the call. The model is told the reason. Raises Conflict, Forbidden and ValidationError."""
    require_decider(approval, by)
    if problem := text_problem(reason.strip(), most=MOST_REASON):
        raise ValidationError({"reason": problem})
    _decide(approval, ApprovalState.REJECTED, "rejected", by=by, kind=by.kind, reason=reason.strip())
    return approval


def decide_by_caller(
    approval: Approval, *, by: Actor, approves: bool, code: str | None = None, reason: str = ""
) -> Approval:
    """Decides for the software that asked, which never edits. The caller of this has checked who it is.

    `code`: what was typed in a chat; None where an approval item or an elicitation decides. Raises Conflict,
    also where staff must decide, and WrongCode.
    """
    given = {} if code is None else _require_code(approval, code)
    given["approver"] = Approver.CALLER
    with transaction.atomic():
        require_asker(approval)
        if approves:
            _decide(approval, ApprovalState.APPROVED, "approved", by=by, kind=CALLER, given=given)
        else:
            told = _fitting(reason)
            _decide(
                approval, ApprovalState.REJECTED, "rejected", by=by, kind=CALLER, given=given, reason=told
            )
    return approval


def reveal(approval: Approval, *, by: Actor) -> None:
    """Puts on record that somebody who may decide has seen what is covered. Raises Forbidden."""
    require_decider(approval, by)
    audit.happened("revealed", by=by, kind="approval", object_id=approval.pk, name=approval.named)


@transaction.atomic
def _decide(
    approval: Approval,
    to: ApprovalState,
    action: str,
    *,
    by: Actor,
    kind: str,
    given: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    now = timezone.now()
    is_edited = columns.get("edited_arguments") is not None
    decided = moves.move(
        approval, to, by=by, action=action, given={"expires_at__gt": now, **(given or {})},
        told={"decider": kind, **({"edited": True} if is_edited else {})},
        decided_by=by.name, decider_kind=kind, decider_id=by.id, decided_at=now, code_hash="", **columns,
    )  # fmt: skip
    if not decided:
        raise _conflict(approval)
    moves.decided(approval)


def _conflict(approval: Approval) -> Conflict:
    """Returns why the call cannot be decided about: by the row as it is now."""
    row = Approval.objects.undecrypted().filter(pk=approval.pk).first()
    if row is None:
        return Conflict(gettext("The call is gone."), "gone")
    if row.state == ApprovalState.WAITING:
        if row.expires_at <= timezone.now():
            return Conflict(
                gettext("The call waited too long, and has expired. It must be asked anew."), "expired"
            )
        if row.approver == Approver.STAFF:
            message = gettext("Staff must decide about this call: the caller may not.")
            return Conflict(message, "staff_decides")
        return Conflict(gettext("The code was replaced by a newer one."), "code_replaced")
    if row.decided_at is None:
        message = gettext("Nothing is to be decided any more: the call is %(state)s.")
        return Conflict(message % {"state": row.get_state_display()}, str(row.state))
    message = gettext("%(who)s has decided already, at %(when)s: the call is %(state)s.")
    who, when = row.decided_by, row.decided_at.isoformat(timespec="seconds")
    said = message % {"who": who, "when": when, "state": row.get_state_display()}
    return Conflict(said, "already_decided", decided_by=who, decided_at=when, state=str(row.state))


def _require_code(approval: Approval, code: str) -> dict[str, Any]:
    """Returns the condition that the code is still the one. Raises WrongCode, which is counted."""
    row = Approval.objects.waiting().filter(pk=approval.pk).only("code_hash", "wrong_codes").first()
    if row is None or not row.code_hash:
        raise _conflict(approval)
    if is_code_of(code, row.code_hash):
        return {"code_hash": row.code_hash}
    Approval.objects.waiting().filter(pk=approval.pk).update(wrong_codes=F("wrong_codes") + 1)
    spent = Approval.objects.waiting().filter(pk=approval.pk, wrong_codes__gte=MOST_WRONG_CODES)
    raise WrongCode(may_try_again=not spent.update(approver=Approver.STAFF, code_hash=""))


def _fitting(reason: str) -> str:
    """A caller's decision must not fail by its reason."""
    return readable(reason).strip()[:MOST_REASON]
