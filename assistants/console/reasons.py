"""The codes of `assistants.access` in words: why a key, a server or a tool cannot be used."""

from typing import Any

from django.utils.translation import gettext_lazy as _

REASONS: dict[str, Any] = {
    "key_disabled": _("The key is disabled"),
    "key_expired": _("The key has expired"),
    "calling_not_permitted": _("The key may not call assistants"),
    "not_granted": _("The key was not given this assistant"),
    "assistant_disabled": _("The assistant is off"),
    "server_stopped": _("Server stopped"),
    "server_starting": _("Server starting"),
    "server_error": _("Server in error"),
    "not_chosen": _("Not chosen"),
    "function_removed": _("No longer offered by its server"),
    "function_disabled": _("Switched off"),
    "not_approved": _("Waits for approval"),
}


def in_words(code: str) -> str:
    """Returns the words for a code; of an unknown one, the code."""
    return str(REASONS.get(code, code.replace("_", " ")))
