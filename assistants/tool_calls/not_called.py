"""Why a call was not made: a rule forbids it, or somebody must agree to it first."""

from assistants.approvals import NotMade
from assistants.approvals.sentences import address
from assistants.catalogue import FunctionEntry
from assistants.models import ApprovalState

DENIED = "denied_by_rule"
PENDING = "approval_pending"
NOT_APPROVED = "not_approved"
"""A person rejected the call, nobody decided in time, or nobody could be asked any more."""
UNKNOWN_OUTCOME = "unknown_outcome"


class NotCalled(Exception):
    """`code` is one of those above; the text is for the model, and for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class ApprovalPending(NotCalled):
    """The call waits for a decision. An equal call joins it, or gets the result that is there by then."""

    def __init__(self, number: int, function: FunctionEntry, why: str = "") -> None:
        text = (
            f"Not called yet: {function.name} of {function.server_name} waits for approval {number}. "
            f"{why}It is decided at {address(number)}. After that, call it again with the same arguments: "
            "you get the result then, and the tool is called once, however often you ask."
        )
        super().__init__(PENDING, text)
        self.number = number


def of_outcome(outcome: NotMade) -> NotCalled:
    """Returns the error for a call that was asked about, and was not made or may have been."""
    is_unknown = outcome.state == ApprovalState.UNKNOWN_OUTCOME
    return NotCalled(UNKNOWN_OUTCOME if is_unknown else NOT_APPROVED, outcome.text)
