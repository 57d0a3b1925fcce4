"""What assistants and providers must keep to beyond their fields. Messages are for people."""

from collections.abc import Mapping
from typing import Any

import orjson

RESERVED_SLUGS = {"auto"}
_PARAMETERS = {"temperature", "top_p", "max_tokens", "reasoning_effort", "extra"}
_OURS = {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "n"}


def assistant_errors(*, slug: str, parameters: Any) -> dict[str, str]:
    errors = {}
    if slug in RESERVED_SLUGS:
        errors["slug"] = f"'{slug}' is reserved: choose another slug."
    if problem := _parameters_problem(parameters):
        errors["parameters"] = problem
    return errors


def _parameters_problem(parameters: Any) -> str | None:
    if not isinstance(parameters, Mapping) or not isinstance(parameters.get("extra", {}), Mapping):
        return "Give an object; `extra` in it is an object too."
    if unknown := sorted(parameters.keys() - _PARAMETERS):
        return f"Not known: {', '.join(unknown)}. What only your LLM knows goes into `extra`."
    if taken := sorted(parameters.get("extra", {}).keys() & _OURS):
        return f"`extra` may not set {', '.join(taken)}."
    if b"\\u0000" in orjson.dumps(parameters):
        return "Null characters are not allowed."
    return None


def provider_errors(*, base_url: str, api_key: Any) -> dict[str, str]:
    errors = {}
    if base_url and not base_url.startswith(("http://", "https://")):
        errors["base_url"] = "Give an address that starts with http:// or https://."
    if not isinstance(api_key, str) or not _fits_a_header(api_key):
        errors["api_key"] = "An API key is printable ASCII without spaces."
    return errors


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
