"""The record of calls that workers make: each stands once, in the run that asked about it.

A run records what becomes of its calls while it lasts. A call that still waits when it ends stands in its
record as such, until it was made. Whoever comes last writes that: the worker that made the call, or the
process that records the run. Both hold the row of the approval, so that one of them sees what the other did.
"""

from collections.abc import Collection

from assistants import storable
from assistants.approvals import codes
from assistants.approvals.outcomes import Failure, NotMade, Result, outcome_of
from assistants.models import Approval, ApprovalState, Assistant, ToolCall
from connector.client import outcomes

_MADE = (ApprovalState.DONE, ApprovalState.UNKNOWN_OUTCOME)


def record_made(numbers: Collection[int]) -> None:
    """Records what came of calls, in the transaction that has just recorded their runs."""
    rows = Approval.objects.filter(pk__in=list(numbers)).order_by("pk").select_for_update(of=("self",))
    for approval in rows:
        if approval.state in _MADE:
            record(approval)


def record(approval: Approval, *, took_ms: int | None = None) -> None:
    """Records what came of a call. Call it in the transaction that has moved the approval."""
    recorded = ToolCall.objects.filter(approval=approval.pk).order_by("pk")
    row = recorded.only("error", "duration_ms").first()
    if row is None or row.error != codes.PENDING:  # the run is not recorded yet, or has recorded it itself
        return
    code, text = _outcome(approval)
    row.status = ToolCall.Status.ERROR if code else ToolCall.Status.OK
    row.error, row.result_size = code, len(text)
    if took_ms is not None:
        row.duration_ms = took_ms
    columns = ["status", "error", "result_size", "duration_ms"]
    if Assistant.objects.filter(pk=approval.assistant_id or 0, store_bodies=True).exists():
        row.arguments, row.result = storable.arguments(approval.sent_arguments), storable.text(text)
        columns += ["arguments", "result"]
    row.save(update_fields=columns)


def _outcome(approval: Approval) -> tuple[str, str]:
    """Returns the code of the failure, "" for none, and the text of the result."""
    match outcome_of(approval):
        case Result(result=result):
            return outcomes.code_of(result), outcomes.text_of(result)
        case Failure(code, message):
            return code, message
        case NotMade() as lost:
            return lost.code, ""
    raise ValueError("The call is not over.")
