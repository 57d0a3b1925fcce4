"""Errors that every app may raise. Each API renders them in its own envelope."""

from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, SuspiciousOperation, TooManyFieldsSent
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import APIException

from core.bounded_connection import TakesNoWrites
from core.message import Message


class Conflict(APIException):
    """409: the request conflicts with what exists. `details` name that, for programs.

    `field`: the model's field at fault, beside which the admin shows the message; "" if there is none.
    """

    status_code = 409
    default_code = "conflict"

    def __init__(self, message: str, code: str, *, field: str = "", **details: Any) -> None:
        super().__init__(message, code)
        self.field = field
        self.details = details


class InvalidRequest(APIException):
    """400, or another 4xx. `param` is the path of the field at fault: `messages[2].content`."""

    def __init__(self, message: str, *, param: str | None = None, code: str, status_code: int = 400) -> None:
        super().__init__(message, code)
        self.param = param
        self.status_code = status_code


class RequestTimeout(APIException):
    """408: a request's head or body came too slowly (RFC 9110, section 15.5.9)."""

    status_code = 408
    default_code = "request_timeout"
    default_detail = Message("The request came too slowly and was given up.")


class ServerStopping(APIException):
    """503: the process ends before the answer is complete."""

    status_code = 503
    default_code = "server_stopping"
    default_detail = Message("The server was stopped before the answer was complete.")


class DatabaseUnavailable(APIException):
    """503: the database is away."""

    status_code = 503
    default_code = "database_unavailable"
    default_detail = Message("The database does not answer. Try again in a few seconds.")


class DatabaseReadOnly(DatabaseUnavailable):
    """503: the database can only be read. It is a standby, or was made read-only."""

    default_code = "database_read_only"
    default_detail = Message("The database takes no changes at the moment. Try again in a few seconds.")


def unavailable(error: Exception) -> DatabaseUnavailable:
    """Returns the 503 for an error of psycopg or of the ORM."""
    is_read_only = isinstance(error, TakesNoWrites) or isinstance(error.__cause__, TakesNoWrites)
    return DatabaseReadOnly() if is_read_only else DatabaseUnavailable()


MALFORMED: tuple[type[Exception], ...] = (BadRequest, MultiPartParserError, SuspiciousOperation)
"""What Django raises for requests that it refuses to read."""


def malformed(error: Exception) -> InvalidRequest:
    """Returns the 400 for one of MALFORMED."""
    match error:
        case DisallowedHost():
            message = Message(
                "This server does not go by the name in the Host header. ALLOWED_HOSTS lists its names."
            )
            return InvalidRequest(message, code="disallowed_host")
        case TooManyFieldsSent():
            return InvalidRequest(Message("The request has too many parameters."), code="too_many_parameters")
        case _:
            return InvalidRequest(Message("The request is malformed."), code="malformed_request")


def request_too_large(limit: int) -> InvalidRequest:
    """Returns the 413 for a body over `limit` bytes."""
    message = Message("The request body is over the limit of %(limit)s bytes.", limit=f"{limit:,}")
    return InvalidRequest(message, code="request_too_large", status_code=413)
