"""How the states of approvals look, and what each means for people."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from assistants.models import Approval, ApprovalState
from core.admin.pills import Tone, pill

_LOOKS: dict[str, tuple[str, Tone]] = {
    ApprovalState.WAITING: ("hourglass_top", "warning"),
    ApprovalState.APPROVED: ("thumb_up", "info"),
    ApprovalState.RUNNING: ("play_circle", "info"),
    ApprovalState.DONE: ("check_circle", "success"),
    ApprovalState.REJECTED: ("block", "danger"),
    ApprovalState.EXPIRED: ("timer_off", "neutral"),
    ApprovalState.CANCELLED: ("cancel", "neutral"),
    ApprovalState.UNKNOWN_OUTCOME: ("help", "danger"),
}
_MEANINGS: dict[str, Any] = {
    ApprovalState.WAITING: _("The tool is not called before somebody agrees."),
    ApprovalState.APPROVED: _("It is approved, and will be called within seconds."),
    ApprovalState.RUNNING: _("It is being called now."),
    ApprovalState.DONE: _("It was called once."),
    ApprovalState.REJECTED: _("It was not called. The model is told so, with the reason."),
    ApprovalState.EXPIRED: _("Nobody decided in time: it was not called."),
    ApprovalState.CANCELLED: _("It was not called."),
    ApprovalState.UNKNOWN_OUTCOME: _(
        "It was begun, and nobody knows whether the tool carried it out. It is not repeated: look at the"
        " tool's own system before somebody asks again."
    ),
}


def pill_of(approval: Approval) -> str:
    icon, tone = _LOOKS.get(approval.state, ("help", "neutral"))
    return pill(approval.get_state_display(), icon, tone, title=meaning(approval))


def meaning(approval: Approval) -> Any:
    """Returns a sentence on what the state means for the call."""
    return _MEANINGS.get(approval.state, "")
