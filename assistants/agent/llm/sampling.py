"""Sampling parameters: those of the assistant, overridden by those of the request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from assistants.catalogue.endpoints import Endpoint

_LIMIT_NAMES = ("max_completion_tokens", "max_tokens")


def sampling(own: Mapping[str, Any], asked: Mapping[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """Returns the assistant's parameters (`own`), its `extra` spread out, overridden by those of the request.

    Nulls are dropped: a null of a request does not override.
    """
    merged = {**own.get("extra", {}), **own, **_given(asked)}
    merged.pop("extra", None)
    limits = [
        parameters[name]
        for parameters in (asked, own)
        for name in _LIMIT_NAMES
        if parameters.get(name) is not None
    ]
    for name in _LIMIT_NAMES:
        merged.pop(name, None)
    if limits:
        merged[_limit_name(endpoint)] = limits[0]
    return _given(merged)


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _limit_name(endpoint: Endpoint) -> str:
    """OpenAI's reasoning models know only the new name; many compatible services know only the old one."""
    host = urlsplit(endpoint.base_url).hostname or ""
    is_openai = host == "api.openai.com" or host.endswith(".openai.azure.com")
    return "max_completion_tokens" if is_openai else "max_tokens"
