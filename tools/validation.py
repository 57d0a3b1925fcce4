"""What each kind of connection needs. Errors are one a field, for people."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from tools import policy
from tools.outbound.egress import require_allowed

Errors = dict[str, str | ValidationError]
MOST_ARGS, MOST_VARIABLES, LONGEST_TEXT, LONGEST_URL = 256, 256, 32 * 1024, 2048
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADERS_OF_HTTP = {
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
}


def stdio_errors(*, command: str, args: Any, env: Any) -> Errors:
    errors: Errors = {}
    if not command:
        errors["command"] = "Give the command that starts the server."
    elif refusal := policy.command_refusal(command):
        errors["command"] = ValidationError(refusal, code="command_not_allowed")
    if not isinstance(args, list) or len(args) > MOST_ARGS or not all(map(_is_text, args)):
        errors["args"] = f"Give the arguments as a list of up to {MOST_ARGS} strings without NUL characters."
    if problem := _variables_problem(env):
        errors["env"] = problem
    return errors


def remote_errors(*, url: Any, headers: Any) -> Errors:
    errors: Errors = {}
    if not _is_text(url) or len(url) > LONGEST_URL:
        errors["url"] = f"Give the server's address, of up to {LONGEST_URL} characters."
    else:
        try:
            require_allowed(url)
        except ValidationError as refusal:
            errors["url"] = refusal
    if problem := _headers_problem(headers):
        errors["headers"] = problem
    return errors


def _variables_problem(env: Any) -> str | None:
    if not _is_mapping(env):
        return f"Give the variables as an object of up to {MOST_VARIABLES} strings without NUL characters."
    return policy.environment_refusal(env)


def _headers_problem(headers: Any) -> str | None:
    if not _is_mapping(headers):
        return f"Give the headers as an object of up to {MOST_VARIABLES} strings without NUL characters."
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _HEADERS_OF_HTTP:
            return f"Not a header that can be set: {name[:64]!r}."
        if not (value.isascii() and value.isprintable()):
            return f"The value of {name} holds characters that a header cannot carry."
    return None


def _is_mapping(value: Any) -> bool:
    fits = isinstance(value, Mapping) and len(value) <= MOST_VARIABLES
    return fits and all(map(_is_text, [*value, *value.values()]))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and len(value) <= LONGEST_TEXT
