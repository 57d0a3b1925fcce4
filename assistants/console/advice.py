"""What somebody in the playground can do about a failed run, by the code of its error."""

from typing import Any

from django.utils.translation import gettext_lazy as _

LOST: Any = _("The connection was lost. What ran is under Runs; ask again when the page loads again.")
LOGGED_OUT: Any = _("You are logged out. Load the page again and log in.")
_UPSTREAM = _("The language model's service failed. Try again; if it goes on, test it under LLM providers.")
_ADVICE: dict[str, Any] = {
    "upstream_error": _UPSTREAM,
    "upstream_invalid_response": _UPSTREAM,
    "upstream_timeout": _(
        "The language model took too long. Try again, ask for less, or choose a faster one."
    ),
    "upstream_rate_limited": _("The language model's service has too many requests. Wait a minute."),
    "upstream_auth_error": _("The key of the LLM provider is refused: correct it under LLM providers."),
    "overloaded": _("There is too much to do at the moment. Wait a little and try again."),
    "context_length_exceeded": _("The conversation is too long for the model: begin a new one."),
    "model_not_found": _("The assistant is off, or was deleted: choose another."),
    "run_cancelled": _("Somebody cancelled this run under Runs."),
    "server_stopping": _("The server is being restarted. Try again in a moment."),
    "limit": _("You have reached the playground's limit of messages."),
    "rate_limit_exceeded": _("Wait for your other chats to end, or for a minute."),
    "not_authenticated": LOGGED_OUT,
    "permission_denied": _("You need the right to chat with assistants: ask a manager for it."),
}


def advice(code: str) -> str:
    """Returns what to do about an error; of an unknown one, where to look."""
    return str(_ADVICE.get(code, _("Look under Runs for this run, and into the server's log.")))
