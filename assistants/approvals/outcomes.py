"""Outcomes: what became of calls that were asked about, as their callers and models are told."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils import timezone

from assistants.approvals import codes
from assistants.models import Approval, ApprovalState
from core.database import in_thread
from tools.secrets.encryption import Unreadable

_NOT_MADE = {
    ApprovalState.REJECTED: "Not called: a person rejected the call%s",
    ApprovalState.EXPIRED: "Not called: nobody decided about the call in time%s",
    ApprovalState.CANCELLED: "Not called: the call was cancelled%s",
}
UNKNOWN = (
    "Unknown outcome: the call was approved and begun, but nobody knows whether the tool has carried it out. "
    "It is not repeated. Find out before you call it again%s"
)


@dataclass(frozen=True, slots=True)
class Result:
    """The call was made. `result`: wire JSON of MCP, also where the tool reports that it failed."""

    result: dict[str, Any] = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)
    was_edited: bool = False

    @property
    def note(self) -> str:
        """What a model must be told beside the result, or ""."""
        if not self.was_edited:
            return ""
        arguments = orjson.dumps(self.arguments).decode()
        return f"A person changed the arguments before they approved the call. It was made with: {arguments}"


@dataclass(frozen=True, slots=True)
class Failure:
    """The call was made, and came to no result. `code` as in `connector.client.outcomes`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """The call was not made, or nobody knows whether it was. `text` is for the model."""

    text: str
    state: ApprovalState

    @property
    def code(self) -> str:
        return codes.UNKNOWN_OUTCOME if self.state == ApprovalState.UNKNOWN_OUTCOME else codes.NOT_APPROVED


Outcome = Result | Failure | NotMade


@in_thread
def delivered(numbers: Collection[int]) -> None:
    """Marks calls whose outcome was told: an equal call is asked about anew."""
    rows = Approval.objects.filter(pk__in=list(numbers), state__in=ApprovalState.final(), delivered_at=None)
    rows.update(delivered_at=timezone.now())


def outcome_of(row: Approval) -> Outcome | None:
    """Returns what became of the call; None while it is not over."""
    state = ApprovalState(row.state)
    if state not in ApprovalState.final():
        return None
    if state == ApprovalState.DONE:
        return _made(row)
    reason = f": {row.reason}" if row.reason else "."
    return NotMade(_NOT_MADE.get(state, UNKNOWN) % reason, state)


def _made(row: Approval) -> Outcome:
    result = row.result
    if result is None or isinstance(result, Unreadable):
        return Failure("result_gone", "The call was made, but its result is not kept any more.")
    if failure := result.get("failure"):
        return Failure(failure["code"], failure["message"])
    sent = row.sent_arguments
    return Result(
        result["result"], {} if isinstance(sent, Unreadable) else sent, row.edited_arguments is not None
    )
