"""Upstream errors: an LLM service's refusal as the error that callers get.

Of its text only what a pattern recognises is used, for it may quote our API key.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from assistants.errors import UpstreamFailed, UpstreamRefused
from core.message import Message, joined

_DAY_S = 86_400.0
_CONTEXT = re.compile(
    r"context.length.exceeded|maximum context length|context (?:window|length|limit|size)"
    r"|(?:prompt|input|request|conversation) is too long|too many (?:input )?tokens"
    r"|input token count.{0,60}exceeds|tokens exceed|exceeds? the (?:model's )?max(?:imum)?.{0,30}tokens"
    r"|reduce the length of (?:the|your) (?:messages|prompt|input)|exceed_context_size",
    re.IGNORECASE | re.DOTALL,
)
_CONTEXT_TOKENS = re.compile(
    r"(?:maximum context length is|context (?:size|window)[^\d]{0,30})\s*(\d{2,9})\b"
)
_FILTER = re.compile(r"content_filter|content_policy|ResponsibleAIPolicyViolation|content management policy")
_QUOTA = re.compile(
    r"insufficient_quota|insufficient[_ ]balance|billing_hard_limit|credit balance is too low", re.IGNORECASE
)
_MODEL = re.compile(r"\bmodel|DeploymentNotFound", re.IGNORECASE)
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]-]{0,99}")
_KNOWN_CODES = {
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "missing_required_parameter",
    "invalid_type",
    "invalid_value",
    "invalid_image_url",
    "image_too_large",
    "string_above_max_length",
    "array_above_max_length",
    "integer_above_max_value",
    "integer_below_min_value",
    "decimal_above_max_value",
    "decimal_below_min_value",
}
"""Codes of OpenAI's for a request at fault: they name no value, and clients know them."""


class TransientFailure(UpstreamFailed):
    """A failure that another attempt may not meet."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What services write into an error. `text` is all of it, to be searched and never shown."""

    code: str = ""
    param: str | None = None
    text: str = ""


def status_failure(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailed:
    """Returns the error for an answer with a status other than 200."""
    refusal = _read(_json(body))
    if status in (401, 403):
        return _unauthorised(status)
    if status == 402 or (status == 429 and _QUOTA.search(refusal.text)):
        return _quota_spent()
    if status == 429:
        return _rate_limited(retry_after(headers), transient=True)
    if status >= 500 or status in (408, 425):
        message = Message("The language model's service failed with status %(status)s.", status=status)
        return TransientFailure("upstream_error", message, retry_after=retry_after(headers))
    return _request_at_fault(refusal, status) or _misconfigured(status)


def stream_failure(error: Any) -> UpstreamFailed:
    """Returns the error for an `error` object in the place of a chunk. It is never transient."""
    refusal = _read({"error": error})
    code = refusal.code
    if _QUOTA.search(refusal.text):
        return _quota_spent()
    if code in ("429", "rate_limit_exceeded"):
        return _rate_limited(None, transient=False)
    if code in ("401", "403", "invalid_api_key"):
        return _unauthorised(code)
    # A gateway may begin its answer before it asks, and report the status here.
    status = int(code) if code in ("400", "422") else 0
    if (failure := _request_at_fault(refusal, status)) is not None:
        return failure
    return UpstreamFailed(
        "upstream_error", Message("The language model's service reported an error in its answer.")
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that a service asks to be left alone for, at most a day; None if it does not ask.

    Retry-After holds seconds, of some services with a fraction, or a date (RFC 9110, section 10.2.3).
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value) if value[:1].isdigit() else _seconds_until(value)
    except ValueError:
        return None
    return min(max(seconds, 0.0), _DAY_S)


def _seconds_until(date: str) -> float:
    """Raises ValueError."""
    return parsedate_to_datetime(date).timestamp() - time.time()


def _request_at_fault(refusal: _Refusal, status: int) -> UpstreamFailed | None:
    """Returns the caller's error where the request is at fault; None where our settings may be."""
    if (failure := _recognised(refusal)) is not None:
        return failure
    if status == 413:
        message = Message("The request is larger than the language model's service takes.")
        return UpstreamRefused(message, code="request_too_large", status_code=413)
    if status == 404 and _MODEL.search(refusal.text):
        message = Message(
            "The language model that this assistant uses does not exist at its service (any more)."
        )
        return UpstreamRefused(message, code="model_not_found", status_code=404, param="model")
    if status in (400, 422):
        refused = Message(
            "The language model's service refused the request as invalid (%(status)s).", status=status
        )
        about = Message("It names the parameter '%(name)s'.", name=refusal.param) if refusal.param else ""
        message = joined(refused, about)
        code = refusal.code if refusal.code in _KNOWN_CODES else "invalid_request"
        failure = UpstreamRefused(message, code=code, status_code=status, param=refusal.param)
        failure.upstream_text = refusal.text
        return failure
    return None


def _recognised(refusal: _Refusal) -> UpstreamFailed | None:
    """Returns what services say with the most different statuses."""
    if _CONTEXT.search(refusal.text):
        return context_length_exceeded(refusal.text)
    if _FILTER.search(refusal.text):
        message = Message("The content filter of the language model's service refused the request.")
        return UpstreamRefused(message, code="content_filter", param="messages")
    return None


def context_length_exceeded(text: str = "") -> UpstreamFailed:
    """Returns the error for a conversation that is too long. The service's `text` may name the limit."""
    # LiteLLM and other clients recognise the words "This model's maximum context length is".
    tokens = _CONTEXT_TOKENS.search(text)
    limit = (
        Message("%(count)s tokens", count=tokens[1])
        if tokens
        else Message("less than the conversation takes")
    )
    message = Message(
        "This model's maximum context length is %(limit)s. Please reduce the length of the messages.",
        limit=limit,
    )
    return UpstreamRefused(message, code="context_length_exceeded", param="messages")


def _unauthorised(status: object) -> UpstreamFailed:
    message = Message(
        "The language model's service did not accept the provider's API key (%(status)s).", status=status
    )
    return UpstreamFailed("upstream_auth_error", message, may_retry=False)


def _misconfigured(status: int) -> UpstreamFailed:
    message = Message("The language model's service refused the request (%(status)s).", status=status)
    return UpstreamFailed("upstream_error", message, may_retry=False)


def _quota_spent() -> UpstreamFailed:
    # OpenAI answers this with 429 too, and no wait helps.
    message = Message(
        "The quota at the language model's service is spent: whoever runs this server has to raise it."
    )
    return UpstreamRefused(message, code="insufficient_quota", status_code=429)


def _rate_limited(seconds: float | None, *, transient: bool) -> UpstreamFailed:
    kind = TransientFailure if transient else UpstreamFailed
    message = Message("The language model's service limits the rate of requests. Try again later.")
    return kind("upstream_rate_limited", message, retry_after=seconds)


def _read(answer: Any) -> _Refusal:
    """Reads an error as OpenAI (`{"error": {...}}`), Ollama (`{"error": "..."}`) and vLLM write it."""
    if not isinstance(answer, dict):
        return _Refusal()
    error = answer.get("error") or answer
    if not isinstance(error, dict):
        return _Refusal(text=str(error)[:4096])
    code, param = error.get("code") or error.get("type"), error.get("param")
    return _Refusal(
        code=str(code) if isinstance(code, str | int) else "",
        param=param if isinstance(param, str) and _PARAM.fullmatch(param) else None,
        text=str(error)[:4096],
    )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
