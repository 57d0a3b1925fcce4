"""Validation of the settings of servers. Errors are one a field, for people."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from core.message import said
from tools import policy, references
from tools.outbound.egress import require_allowed
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import UNREADABLE

Errors = dict[str, str | ValidationError]
MOST_ARGS, MOST_VARIABLES, LONGEST_TEXT, LONGEST_URL = 256, 256, 32 * 1024, 2048
LONGEST_DESCRIPTION = 4096
LONGEST_OVERRIDES = {"name": 128, "description": LONGEST_DESCRIPTION}
_SURROGATES = re.compile("[\ud800-\udfff]")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_TRANSPORT_HEADERS = {
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
}
"""Headers that the HTTP client sets: others would break its requests, or smuggle some."""


def setting_errors(*, is_local: bool, command: Any, args: Any, env: Any, url: Any, headers: Any) -> Errors:
    """Returns what is wrong with the settings of a connection, by field.

    All that is given is checked, also what this kind of connection does not use: the kind can be changed, and
    what is stored must be fit to be shown masked.
    """
    variables = env if _is_mapping(env) else {}
    problems: dict[str, str | ValidationError | None] = {
        "command": _command_problem(command, is_needed=is_local),
        "args": _args_problem(args) or said(policy.arguments_refusal(str(command), args)),
        "env": _variables_problem(env),
        "url": _url_problem(url, variables, is_needed=not is_local),
        "headers": _headers_problem(headers, variables),
    }
    # What cannot be read is checked when the server is launched, should its key come back. A form of the
    # console holds what is shown for it; verbs store that for an import alone, as a placeholder.
    secrets = {"args": args, "env": env, "url": url, "headers": headers}
    unreadable = {name for name, it in secrets.items() if isinstance(it, Unreadable) or it == UNREADABLE}
    return {name: problem for name, problem in problems.items() if problem and name not in unreadable}


def overrides_problem(overrides: Mapping[str, Any]) -> str | None:
    """Returns a message if these cannot take the place of a tool's own name and description."""
    for name, value in overrides.items():
        if name not in LONGEST_OVERRIDES:
            return gettext("%(field)s: There is no such field.") % {"field": name}
        if value is not None and not (_is_text(value) and len(value) <= LONGEST_OVERRIDES[name]):
            most = {"field": name, "most": f"{LONGEST_OVERRIDES[name]:,}"}
            return gettext("%(field)s: Give a text of up to %(most)s characters.") % most
    return None


def _command_problem(command: Any, *, is_needed: bool) -> str | ValidationError | None:
    if not command:
        return gettext("Give the command that starts the server.") if is_needed else None
    refusal = policy.command_refusal(command)
    return ValidationError(said(refusal), code="command_not_allowed") if refusal else None


def _args_problem(args: Any) -> str | None:
    if isinstance(args, list) and len(args) <= MOST_ARGS and all(map(_is_text, args)):
        return None
    return gettext("Give the arguments as a list of up to %d strings without NUL characters.") % MOST_ARGS


def _url_problem(url: Any, variables: Mapping[str, str], *, is_needed: bool) -> str | ValidationError | None:
    if url == "" and not is_needed:
        return None
    if not _is_text(url) or not url or len(url) > LONGEST_URL:
        return gettext("Give the server's address, of up to %d characters.") % LONGEST_URL
    address, unfilled = references.fill(url, variables)
    # What has no value yet stops the server's start; the address is checked again for each connection.
    return None if unfilled else _address_problem(address)


def _address_problem(address: str) -> str | ValidationError | None:
    try:
        require_allowed(address)
    except ValidationError as refusal:
        return refusal
    if "@" in urlsplit(address).netloc:
        return gettext(
            "Give user name and password as a header (Authorization: Basic ...), not in the address."
        )
    return None


def _variables_problem(env: Any) -> str | None:
    if not _is_mapping(env):
        return (
            gettext("Give the variables as an object of up to %d strings without NUL characters.")
            % MOST_VARIABLES
        )
    refusal: str | None = said(policy.environment_refusal(env))
    return refusal


def _headers_problem(headers: Any, variables: Mapping[str, str]) -> str | None:
    if not _is_mapping(headers):
        return (
            gettext("Give the headers as an object of up to %d strings without NUL characters.")
            % MOST_VARIABLES
        )
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _TRANSPORT_HEADERS:
            return gettext("Not a header that can be set: %r.") % str(name)[:64]
        sent, _ = references.fill(value, variables)
        if not (sent.isascii() and sent.isprintable()):
            return gettext("The value of %s holds characters that a header cannot carry.") % str(name)
    return None


def _is_mapping(value: Any) -> bool:
    fits = isinstance(value, Mapping) and len(value) <= MOST_VARIABLES
    return fits and all(map(_is_text, [*value, *value.values()]))


def _is_text(value: Any) -> bool:
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_TEXT:
        return False
    return not _SURROGATES.search(value)  # neither a process nor HTTP can be given them
