"""Errors in OpenAI's envelope, {"error": {"message", "type", "param", "code"}}: always all four."""

import logging
import math
from typing import Any

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException

from apikeys.errors import InvalidApiKey, LimitReached
from assistants.errors import RequestInterrupted, RunCancelled, UpstreamFailed
from assistants.openai_api import addresses
from assistants.openai_api.http import json_response
from core.errors import MALFORMED, ServerStopping, malformed, unavailable
from core.message import Message

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE, _LONGEST_PARAM = 1_000, 200
_TYPES = {403: "permission_error", 429: "rate_limit_error"}
_PARAMS = {
    "model_not_found": "model",
    "no_assistant_fits": "model",
    "invalid_messages": "messages",
}


class UnknownURL(APIException):
    """404: there is nothing at a path. The message names the address that was meant."""

    status_code = 404
    default_code = "unknown_url"

    def __init__(self, path: str) -> None:
        if address := addresses.meant(path):
            hint = (
                f"You may have meant {address}: the base URL of a client ends in /v1, once, without a slash."
            )
        else:
            hint = f"The API answers at {addresses.OPERATIONS}."
        super().__init__(f"There is nothing at this address. {hint}")


class MethodNotAllowed(APIException):
    status_code = 405
    default_code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This address answers only to {allowed}.")
        self.allowed = allowed


class InternalError(APIException):
    default_code = "internal_error"
    default_detail = Message(
        "Something went wrong on our side. Quote the x-request-id of this answer when you report it."
    )


async def unknown_url(request: HttpRequest, **_: str) -> HttpResponse:
    return response(UnknownURL(request.path))


def response(error: Exception, *, tool_ran: bool = False) -> HttpResponse:
    """`tool_ran`: whether the request's run called a tool before it failed."""
    exception = as_api_exception(error)
    headers = _headers(exception)
    if tool_ran:
        # SDKs retry 408, 409, 429 and 5xx by themselves. The retry would call the tool again.
        headers["x-should-retry"] = "false"
    return json_response(_envelope(exception), status=exception.status_code, headers=headers)


def envelope(error: Exception) -> dict[str, Any]:
    """Returns the envelope; of an unexpected error only the log has the details."""
    return _envelope(as_api_exception(error))


def as_api_exception(error: Exception) -> APIException:
    """Returns what callers are told of an error, which is logged where it is the server's fault."""
    if isinstance(error, APIException):
        if error.status_code >= 500:
            logger.warning("Answering %s %s: %s", error.status_code, error.get_codes(), error.detail)
        return error
    if isinstance(error, MALFORMED):
        return malformed(error)
    if isinstance(error, DatabaseError):
        logger.error("The database failed a request: %s", type(error).__name__)
        return unavailable(error)
    logger.error("Unexpected error", exc_info=error)
    return InternalError()


def code_of(error: APIException) -> str:
    code = error.get_codes()
    return code if isinstance(code, str) else "invalid_request"


def _envelope(error: APIException) -> dict[str, Any]:
    code = code_of(error)
    param: str | None = getattr(error, "param", None) or _PARAMS.get(code)
    return {
        "error": {
            "message": str(error.detail)[:_LONGEST_MESSAGE],
            "type": _type(error.status_code),
            "param": param and param[:_LONGEST_PARAM],
            "code": code,
        }
    }


def _type(status_code: int) -> str:
    if status_code >= 500:
        return "server_error"
    return _TYPES.get(status_code, "invalid_request_error")


def _headers(error: APIException) -> dict[str, str]:
    match error:
        case InvalidApiKey():
            return {"www-authenticate": "Bearer"}
        case LimitReached():
            return dict(error.headers)
        # SDKs repeat every 409, 429 and 5xx twice otherwise.
        case RequestInterrupted() | RunCancelled() | ServerStopping() | UpstreamFailed(may_retry=False):
            return {"x-should-retry": "false"}
        case MethodNotAllowed():
            return {"allow": error.allowed}
        case UpstreamFailed(retry_after=float() | int() as seconds):
            return {"retry-after": str(max(1, math.ceil(seconds)))}
        case _:
            return {}
