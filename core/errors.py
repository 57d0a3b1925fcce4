"""Errors that every app may raise. Each API renders them in its own envelope."""

from typing import Any

from rest_framework.exceptions import APIException


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


class DatabaseUnavailable(APIException):
    """503: the database is away."""

    status_code = 503
    default_code = "database_unavailable"
    default_detail = "The database does not answer. Try again in a few seconds."
