"""Rules for assistants and providers beyond those of their fields. Messages are for people."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
from django.core.validators import RegexValidator
from django.utils.translation import gettext

from core.errors import InvalidRequest

RESERVED_SLUGS = {"auto"}
validate_alias = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}\Z",
    "Use letters, digits and . _ : / @ -, starting with a letter or digit.",
)
SMALLEST_SEARCH_BUDGET = 300
MOST_ALIASES, MOST_SERVERS, MOST_FUNCTIONS, MOST_PINNED = 32, 1_000, 500, 100
LONGEST_FUNCTION, LONGEST_KEY = 255, 4096
LONGEST_END_USER = 512
"""In characters, of the caller's own name for whom it asks."""
_PARAMETERS = {"temperature", "top_p", "max_tokens", "reasoning_effort", "extra"}
_EFFORT = re.compile(r"[a-z_-]{1,32}")
_MOST_BYTES = 64 * 1024
_OURS = {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "n"}


def assistant_errors(*, slug: str, parameters: Any) -> dict[str, str]:
    """Returns messages by field; empty if all is well."""
    errors = {}
    if slug in RESERVED_SLUGS:
        errors["slug"] = gettext("'%(slug)s' is reserved: choose another slug.") % {"slug": slug}
    if problem := _parameters_problem(parameters):
        errors["parameters"] = problem
    return errors


def names_problem(names: Any, *, most: int = MOST_FUNCTIONS, may_be_empty: bool = False) -> str | None:
    """Returns a message if this is no list of names of functions."""
    if not isinstance(names, list | tuple) or not all(map(_is_function_name, names)):
        return gettext('Give a list of names, for example ["now"].')
    if len(names) > most:
        return gettext("At most %d names.") % most
    if names or may_be_empty:
        return None
    return gettext("Name at least one function. For all of them leave it empty.")


def _is_function_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_FUNCTION and "\0" not in name


def budget_problem(selection: str, budget: int | None) -> str | None:
    """Returns a message if `budget` is too small for the meta-tools of a selection by search."""
    if selection == "search" and budget is not None and budget < SMALLEST_SEARCH_BUDGET:
        template = gettext("At least %d: the tools that search and call take nearly as many.")
        return template % SMALLEST_SEARCH_BUDGET
    return None


def _parameters_problem(parameters: Any) -> str | None:
    if not isinstance(parameters, Mapping) or not isinstance(parameters.get("extra", {}), Mapping):
        return gettext("Give an object; `extra` in it is an object too.")
    if unknown := sorted(parameters.keys() - _PARAMETERS):
        template = gettext("Not known: %(names)s. What only your LLM knows goes into `extra`.")
        return template % {"names": ", ".join(unknown)}
    if taken := sorted(parameters.get("extra", {}).keys() & _OURS):
        return gettext("`extra` may not set %(names)s.") % {"names": ", ".join(taken)}
    return _sampling_problem(parameters) or _storage_problem(parameters)


def _sampling_problem(parameters: Mapping[str, Any]) -> str | None:
    for name, most in (("temperature", 2), ("top_p", 1)):
        if not _is_number(parameters.get(name, 0), most):
            return gettext("`%(name)s` is a number from 0 to %(most)d.") % {"name": name, "most": most}
    limit = parameters.get("max_tokens", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit < 2**31:
        return gettext("`max_tokens` is a whole number from 1.")
    effort = parameters.get("reasoning_effort", "low")
    if not isinstance(effort, str) or not _EFFORT.fullmatch(effort):
        return gettext("`reasoning_effort` is a word, for example low.")
    return None


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _storage_problem(parameters: Mapping[str, Any]) -> str | None:
    # orjson refuses what JSON in PostgreSQL, or an LLM service, cannot represent.
    try:
        raw = orjson.dumps(parameters)
    except orjson.JSONEncodeError:
        return gettext("Numbers beyond 64 bits, broken Unicode and very deep nesting are not allowed.")
    if len(raw) > _MOST_BYTES:
        return gettext("At most %s bytes.") % f"{_MOST_BYTES:,}"
    return gettext("Null characters are not allowed.") if rb"\u0000" in raw else None


def provider_errors(*, base_url: str, api_key: Any) -> dict[str, str]:
    """Returns messages by field; empty if all is well."""
    errors = {}
    if base_url and not base_url.startswith(("http://", "https://")):
        errors["base_url"] = gettext("Give an address that starts with http:// or https://.")
    if not isinstance(api_key, str) or not _fits_a_header(api_key):
        errors["api_key"] = gettext("An API key is printable ASCII without spaces.")
    elif len(api_key) > LONGEST_KEY:
        errors["api_key"] = gettext("An API key has at most %s characters.") % f"{LONGEST_KEY:,}"
    return errors


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def end_user(header: str) -> str:
    """Returns whom the header X-End-User names, "" where it names nobody. Raises InvalidRequest.

    Headers are read as Latin-1: one in UTF-8 is to equal the name in a body.
    """
    with suppress(UnicodeError):
        header = header.encode("latin-1").decode()
    name = header.strip()
    if len(name) > LONGEST_END_USER:
        message = f"An end user's name is a text of at most {LONGEST_END_USER} characters."
        raise InvalidRequest(message, param="x-end-user", code="invalid_value")
    return name
