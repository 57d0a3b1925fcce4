"""What became of a call that was asked about, as the model gets it."""

from typing import cast

from strands.types.tools import ToolResult, ToolResultContent

from assistants.agent import tool_results
from assistants.approvals import Failure, NotMade, Outcome, Result
from connector.client import outcomes
from connector.wire.results import CallResult


def told(call_id: str, outcome: Outcome) -> tuple[ToolResult, str | None]:
    """Returns the result for the model, and the code of the failure, if it failed."""
    match outcome:
        case Result():
            result = tool_results.of_call(call_id, called(outcome))
            if outcome.note:
                result["content"].insert(0, cast(ToolResultContent, {"text": outcome.note}))
            return result, outcomes.TOOL_ERROR if result["status"] == "error" else None
        case Failure():
            return tool_results.error(call_id, outcome.message), outcome.code
        case NotMade():
            return tool_results.error(call_id, outcome.text), outcome.code


def still_waiting(call_id: str, number: int) -> ToolResult:
    text = (
        f"Not called yet: approval {number} is still waited for, and the user knows where it is given. "
        "Say so, and call it again only if the user asks for it."
    )
    return tool_results.error(call_id, text)


def called(outcome: Result) -> CallResult:
    wire = outcome.result
    return CallResult(
        wire.get("content") or [], wire.get("structuredContent"), is_error=wire.get("isError") is True
    )


def state_of(outcome: Outcome) -> str:
    return str(outcome.state) if isinstance(outcome, NotMade) else "done"
