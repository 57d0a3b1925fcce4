"""The management envelope: every non-2xx answer under /api/, except those of the OpenAI API.

{"success": false, "error": {"code", "type", "message", "status_code", "details"?}, "timestamp"}
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import Error as DatabaseError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.request_ids import request_id
from core.errors import Conflict, DatabaseUnavailable

log = logging.getLogger(__name__)


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
    if isinstance(error, exceptions.ValidationError | ValidationError):
        return _validation_response(error)
    refusal = _refusal(error)
    body = envelope(
        status_code=refusal.status_code,
        kind=_kind(refusal),
        message=str(refusal.detail),
        details=getattr(refusal, "details", None),
    )
    return Response(body, status=refusal.status_code, headers=_headers(refusal))


def _refusal(error: Exception) -> exceptions.APIException:
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
        return DatabaseUnavailable()
    log.error("Unexpected error", exc_info=error)
    return exceptions.APIException(
        "Something went wrong on our side. Quote the request id when you report it."
    )


def _kind(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else "invalid_request"


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return headers


def _validation_response(error: exceptions.ValidationError | ValidationError) -> Response:
    fields = _fields(error)
    message = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in fields.items())
    body = envelope(status_code=422, kind="validation_error", message=message, details={"fields": fields})
    return Response(body, status=422)


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


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Django's 404 handler, for paths that no URL pattern matches."""
    body = envelope(status_code=404, kind="not_found", message="There is nothing at this address.")
    return JsonResponse(body, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's 500 handler. Django has logged the exception with its traceback already."""
    body = envelope(status_code=500, kind="error", message="Something went wrong on our side.")
    return JsonResponse(body, status=500)


def body_too_large(limit: int) -> dict[str, Any]:
    """Returns the error body for a request over `limit` bytes."""
    message = f"The request body is over the limit of {limit:,} bytes."
    return envelope(status_code=413, kind="request_too_large", message=message)
