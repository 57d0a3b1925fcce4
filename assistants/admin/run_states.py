"""How the states of runs and of tool calls look, and what the codes of their errors mean."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from assistants.models import RunStatus, ToolCall
from core.admin.pills import Tone

STATES: dict[str, tuple[str, Tone]] = {
    RunStatus.RUNNING: ("play_circle", "info"),
    RunStatus.COMPLETED: ("check_circle", "success"),
    RunStatus.FAILED: ("error", "danger"),
    RunStatus.CANCELLED: ("cancel", "neutral"),
}
CALL_STATES: dict[str, tuple[str, Tone]] = {
    ToolCall.Status.OK: ("check_circle", "success"),
    ToolCall.Status.ERROR: ("error", "danger"),
    ToolCall.Status.CANCELLED: ("cancel", "neutral"),
}
_CAUSES: dict[str, Any] = {
    "upstream_error": _("The LLM service failed. Look at the provider, and ask again later."),
    "upstream_timeout": _("The LLM service, or the whole run, took too long."),
    "upstream_rate_limited": _("The LLM service takes no more requests for now."),
    "upstream_auth_error": _("The LLM service refused our credentials: correct the provider's key."),
    "upstream_invalid_response": _("The LLM service answered what nobody can read."),
    "context_length_exceeded": _("The conversation and the tools are too long for this model."),
    "overloaded": _("Too much was asked at once."),
    "run_cancelled": _("Somebody cancelled the run."),
    "abandoned": _("The process that executed the run ended before it."),
    "internal_error": _("Something went wrong in this installation: see its log by the id of the request."),
    "invalid_request": _("The request could not be carried out as it was sent."),
    "invalid_arguments": _("The arguments do not fit the tool's schema: its server was not asked."),
    "invalid_api_key": _("The key was taken away while this ran."),
    "server_stopping": _("This installation was stopped meanwhile."),
    "input_required": _("The server asked back. The round with the answer is a call of its own."),
    "denied_by_rule": _("A rule forbids the call: its server was not asked."),
    "denied_by_filter": _("The filter of this installation refuses the call: its server was not asked."),
    "approval_pending": _("The call still waited for approval when its caller was answered."),
    "not_approved": _("Nobody agreed to the call: it was not made."),
    "unknown_outcome": _("The call was approved and begun. Nobody knows whether the tool carried it out."),
    "tool_error": _("The tool itself reported a failure: it says which in its result."),
    "tool_timeout": _("The tool did not answer in time. Raise its server's time-out if it needs longer."),
    "server_unavailable": _("The server did not run."),
    "server_restarting": _("The server was being restarted."),
    "output_too_large": _("The tool's result was too large."),
    "unknown_tool": _("The server offers no such tool any more."),
    "invalid_result": _("The tool's result is not what it promised."),
    "session_lost": _("The connection to the server broke off."),
    "refused": _("The server refused the call."),
    "interrupted": _("The run was interrupted."),
}


def look_of(state: str) -> tuple[str, Tone]:
    """Returns the icon and the tone of a run's state, or of a call's."""
    return (STATES | CALL_STATES).get(state, ("help", "neutral"))


def cause_of(code: str) -> Any:
    """Returns a sentence for people, or "" for a code that has none."""
    return _CAUSES.get(code, "")
