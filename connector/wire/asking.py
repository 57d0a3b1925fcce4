"""What a server asks its client back, and whether the client can be asked: the rules for both eras."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_noop

from core.message import Message

CAPABILITIES = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""The requests that a server may send to its client, and the capability that the client declares for each."""

INSECURE_URL = Message("The server asks to open a URL that is not https.")
_UNSUPPORTED = gettext_noop("The server asks for %(capability)s, which the client does not support.")


@dataclass(frozen=True, slots=True)
class Client:
    """The MCP client behind a request. `capabilities`: as `askable` returns them.

    `session` names the client's session, empty for one request alone; `key_id` is of its API key.
    `log_level`: of the messages that it wants, empty for none.
    """

    capabilities: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    key_id: int = 0
    log_level: str = ""


NOBODY = Client()


def askable(capabilities: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns those capabilities of a client that servers can ask for, as they are declared to a server."""
    declared = {name: (capabilities or {}).get(name) for name in CAPABILITIES.values()}
    askable = {name: value for name, value in declared.items() if isinstance(value, Mapping)}
    # That its list has changed would be a notification of the client, for which there is no way.
    return askable | ({"roots": {}} if "roots" in askable else {})


def problem(method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> Message | None:
    """Returns why a client cannot be asked this, for people; None if it can be."""
    capability = CAPABILITIES.get(method)
    if capability is None:
        return Message("A server cannot ask its client for %(method)s.", method=method[:64])
    declared = capabilities.get(capability)
    if declared is None:
        return Message(_UNSUPPORTED, capability=capability)
    return _elicitation_problem(params, declared) if capability == "elicitation" else None


def _elicitation_problem(params: Mapping[str, Any], declared: Mapping[str, Any]) -> Message | None:
    mode = params.get("mode", "form")
    # An empty capability means forms: MCP 2025-11-25, client/elicitation, capabilities.
    if mode not in (declared or {"form": {}}):
        return Message(_UNSUPPORTED, capability=f"elicitation ({str(mode)[:16]})")
    if mode == "url" and not is_safe_url(params.get("url")):
        return INSECURE_URL
    return None


def is_safe_url(url: object) -> bool:
    """Whether a person may be sent there: by https, or to their own machine."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
