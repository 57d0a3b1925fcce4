"""The management envelope: every non-2xx answer under /api/, except those of the OpenAI API.

{"success": false, "error": {"code", "type", "message", "status_code", "details"?}, "timestamp"}
"""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import Error as DatabaseError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apikeys.errors import LimitReached
from assistants.mcp_endpoint import addresses as mcp_addresses
from assistants.mcp_endpoint import errors as mcp_errors
from assistants.openai_api import addresses
from assistants.openai_api import errors as openai_errors
from config.request_ids import request_id
from core.errors import MALFORMED, Conflict, ServerStopping, malformed, unavailable

log = logging.getLogger(__name__)
CONSOLE = "/admin/"
"""Where people are the readers, of pages in HTML."""


def envelope(
    *, status_code: int, kind: str, message: str, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "success": False,
        "error": {
            "code": _code(status_code),
            "type": kind,
            "message": message,
            "status_code": status_code,
            "details": {"request_id": request_id.get(), **(details or {})},
        },
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def _code(status_code: int) -> str:
    if status_code == 422:
        return "VALIDATION_ERROR"
    return "INTERNAL_ERROR" if status_code == 500 else "HTTP_ERROR"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: renders what a management view raised. Unexpected errors leak no text."""
    set_rollback()
    body, headers = _rendered(error)
    return Response(body, status=body["error"]["status_code"], headers=headers)


def _rendered(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the body and the headers of the answer to what failed with `error`."""
    if isinstance(error, exceptions.ValidationError | ValidationError):
        return _validation_envelope(error), {}
    refusal = _refusal(error)
    body = envelope(
        status_code=refusal.status_code,
        kind=_kind(refusal),
        message=str(refusal.detail),
        details=getattr(refusal, "details", None),
    )
    return body, _headers(refusal)


def _refusal(error: Exception) -> exceptions.APIException:
    if isinstance(error, MALFORMED):
        error = malformed(error)
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, IntegrityError):
        return Conflict("Somebody else changed the same at the same moment. Try again.", "conflict")
    if isinstance(error, DatabaseError):
        log.error("The database failed a request: %s", type(error).__name__)
        return unavailable(error)
    log.error("Unexpected error", exc_info=error)
    return exceptions.APIException(
        "Something went wrong on our side. Quote the request id when you report it."
    )


def _kind(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else "invalid_request"


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = dict(error.headers) if isinstance(error, LimitReached) else {}
    if isinstance(error, openai_errors.MethodNotAllowed):
        headers["Allow"] = error.allowed
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, ServerStopping):  # what it changed may have been saved
        headers["X-Should-Retry"] = "false"
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return headers


def _validation_envelope(error: exceptions.ValidationError | ValidationError) -> dict[str, Any]:
    fields = _fields(error)
    message = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in fields.items())
    return envelope(status_code=422, kind="validation_error", message=message, details={"fields": fields})


def _fields(error: exceptions.ValidationError | ValidationError) -> dict[str, list[str]]:
    if isinstance(error, ValidationError):
        if hasattr(error, "error_dict"):
            return error.message_dict
        return {"non_field_errors": error.messages}
    detail = error.detail
    if isinstance(detail, dict):
        return {name: _messages(value) for name, value in detail.items()}
    return {"non_field_errors": _messages(detail)}


def _messages(detail: Any) -> list[str]:
    if isinstance(detail, dict):
        return [f"{name}: {message}" for name, value in detail.items() for message in _messages(value)]
    if isinstance(detail, list):
        return [message for value in detail for message in _messages(value)]
    return [str(detail)]


def response(path: str, error: Exception) -> HttpResponse:
    """Returns the answer to a request for `path` that no view answered, in the envelope of its API."""
    if addresses.is_openai(path):
        return openai_errors.response(error)
    if mcp_addresses.is_mcp(path):
        return mcp_errors.response(path, error)
    body, headers = _rendered(error)
    return JsonResponse(body, status=body["error"]["status_code"], headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400 handler. People who use the console get a page."""
    if request.path.startswith("/api/") or addresses.is_openai(request.path):
        return response(request.path, exception)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 404 handler, for paths that no URL pattern matches. People who use the console get a page."""
    if request.path.startswith(CONSOLE):
        return defaults.page_not_found(request, exception or Http404())
    if addresses.is_openai(request.path):
        return openai_errors.response(openai_errors.UnknownURL(request.path))
    return response(request.path, exceptions.NotFound("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500 handler. Django has logged the exception with its traceback already."""
    error = sys.exception()
    if request.path.startswith(CONSOLE) and isinstance(error, DatabaseError):
        page = loader.get_template("503.html").render({"detail": str(unavailable(error).detail)})
        return HttpResponse(page, status=503)
    if request.path.startswith(CONSOLE):
        return defaults.server_error(request)
    return response(request.path, exceptions.APIException("Something went wrong on our side."))
