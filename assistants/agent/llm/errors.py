"""Upstream errors: an LLM service's refusal as the error that callers get.

Only its status and its code are used, for its message may quote our API key.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from assistants.errors import UpstreamFailed


class TransientFailure(UpstreamFailed):
    """A failure that another attempt may not meet."""


def status_failure(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailed:
    """Returns the error for an answer with a status other than 200."""
    code = _error_code(body)
    if code == "context_length_exceeded":
        return _context_length_exceeded()
    if status in (401, 403):
        return _unauthorised(status)
    if status == 429:
        # OpenAI answers a spent quota with 429 too, and no wait helps against that.
        return _rate_limited(retry_after(headers), transient=code != "insufficient_quota")
    if status >= 500:
        return TransientFailure(
            "upstream_error", f"The language model's service failed with status {status}."
        )
    return UpstreamFailed("upstream_error", f"The language model's service refused the request ({status}).")


def stream_failure(error: Any) -> UpstreamFailed:
    """Returns the error for an `error` object in the place of a chunk. It is never transient."""
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    if code == "context_length_exceeded":
        return _context_length_exceeded()
    if code in (429, "429", "rate_limit_exceeded", "insufficient_quota"):
        return _rate_limited(None, transient=False)
    if code in (401, 403, "401", "403", "invalid_api_key"):
        return _unauthorised(code)
    return UpstreamFailed("upstream_error", "The language model's service reported an error in its answer.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds of Retry-After (RFC 9110, section 10.2.3), at most a day; None for a date."""
    value = headers.get("Retry-After", "")
    return min(float(value), 86_400.0) if value.isascii() and value.isdigit() else None


def _context_length_exceeded() -> UpstreamFailed:
    return UpstreamFailed("context_length_exceeded", "The conversation is longer than the model can take.")


def _unauthorised(status: object) -> UpstreamFailed:
    message = f"The language model's service did not accept the provider's API key ({status})."
    return UpstreamFailed("upstream_auth_error", message)


def _rate_limited(seconds: float | None, *, transient: bool) -> UpstreamFailed:
    kind = TransientFailure if transient else UpstreamFailed
    message = "The language model's service limits the rate of requests. Try again later."
    return kind("upstream_rate_limited", message, retry_after=seconds)


def _error_code(body: bytes) -> str | None:
    try:
        code = orjson.loads(body)["error"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None
    return code if isinstance(code, str) else None
