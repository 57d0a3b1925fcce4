"""The moves of approvals from state to state: a conditional UPDATE, an audit entry and an event each.

No move writes arguments, codes or results into the audit log or an event.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apikeys import audit
from apikeys.models import EventType
from apikeys.outbox import announce
from assistants.models import Approval, ApprovalState
from core import broker
from core.actor import Actor

CALLS_TASK = "assistants.tasks.make_approved_calls"
WAITING = (ApprovalState.WAITING,)


def asked(approval: Approval, *, by: Actor) -> None:
    """Records that a call waits. Call it in the transaction that inserts the row."""
    _record("asked", approval, by, approver=approval.approver, rule=approval.rule_name)
    _announce(EventType.APPROVAL_WAITING, approval)


@transaction.atomic
def move(
    approval: Approval,
    to: ApprovalState,
    *,
    by: Actor,
    action: str,
    of: Iterable[ApprovalState] = WAITING,
    told: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
    **columns: Any,
) -> bool:
    """Moves a row that is still in one of the states `of`. Returns whether it was.

    `given`: more conditions, such as the fence. `columns` are written, `told` stands in the audit entry.
    """
    if to in ApprovalState.final():
        # Until then an equal call is told the outcome, if nobody has been.
        columns["result_expires_at"] = timezone.now() + timedelta(days=settings.APPROVAL_RESULT_DAYS)
    rows = Approval.objects.filter(pk=approval.pk, state__in=list(of), **(given or {}))
    if not rows.update(state=to, **columns):
        return False
    for name, value in columns.items():
        setattr(approval, name, value)
    approval.state = to
    _record(action, approval, by, **(told or {}))
    if to == ApprovalState.WAITING:
        _announce(EventType.APPROVAL_WAITING, approval)
    elif to == ApprovalState.APPROVED:
        transaction.on_commit(send_calls)
    return True


def decided(approval: Approval) -> None:
    """Announces a decision. Call it in the transaction of the decision."""
    _announce(EventType.APPROVAL_DECIDED, approval)


def send_calls() -> None:
    """Tells workers that an approved call waits for them; beat does so every ten seconds."""
    broker.send_hint(CALLS_TASK, warning="An approved call is made some seconds late: no broker (%s).")


def _record(action: str, approval: Approval, by: Actor, **told: Any) -> None:
    details = {"state": str(approval.state), **told}
    audit.happened(action, by=by, kind="approval", object_id=approval.pk, name=approval.named, **details)


def _announce(event: EventType, approval: Approval) -> None:
    """Writes an event for webhooks, in the deciding transaction."""
    announce(
        event,
        id=approval.pk,
        name=approval.named,
        state=str(approval.state),
        approver=approval.approver,
        server=approval.server,
        function=approval.function,
        assistant=approval.assistant_slug,
        api_key=approval.api_key_name,
        key_prefix=approval.key_prefix,
        rule=approval.rule_name,
        decided_by=approval.decided_by,
    )
