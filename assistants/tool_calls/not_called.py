"""Why a call was not made: a rule forbids it, or somebody must agree to it first."""

from assistants.approvals import codes
from assistants.approvals.sentences import address
from assistants.catalogue import FunctionEntry


class NotCalled(Exception):
    """`code` is one of `approvals.codes`; the text is for the model, and for people."""

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
        super().__init__(codes.PENDING, text)
        self.number = number
