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

ELICITED = "notifications/elicitation/complete"
"""A server's notification that the person has done what a URL was for. 2026-07-28 has it no more."""
_PARTS = {"elicitation": ("form", "url"), "sampling": ("tools", "context"), "roots": ("listChanged",)}
"""Of each capability the parts that we pass on."""
ALL: Mapping[str, Any] = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}, "context": {}},
    "roots": {"listChanged": True},
}
"""What a client can be asked for at most, as it is declared to a server."""

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


def askable(capabilities: Any) -> dict[str, Any]:
    """Returns those capabilities of a client that let servers ask it, as they are declared to a server."""
    if not isinstance(capabilities, Mapping):
        return {}
    return {
        name: {part: _flag(capabilities[name][part]) for part in parts if part in capabilities[name]}
        for name, parts in _PARTS.items()
        if isinstance(capabilities.get(name), Mapping)
    }


def without_notices(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Returns them as the stateless era has them: its clients send no notifications."""
    return {**capabilities, **({"roots": {}} if "roots" in capabilities else {})}


def _flag(value: Any) -> Any:
    """Returns what a part says, and nothing else: the id of a session, which holds it, must be short."""
    return value if isinstance(value, bool) else {}


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
