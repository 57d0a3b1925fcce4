"""Failed calls as errors of the management API."""

from rest_framework.exceptions import APIException, ValidationError

from connector.client.direct_calls import Refused
from connector.errors import CallFailed, FailureCode
from tools.arguments import InvalidArguments

_STATUSES: dict[FailureCode, int] = {
    "unknown_tool": 404,
    "tool_timeout": 504,
    "output_too_large": 502,
    "invalid_result": 502,
    "not_found": 404,
    "refused": 502,
}

_AGAINST_IT = {"denied_by_rule", "approval_required", "denied_by_filter"}


class Failed(APIException):
    """A call without a result: status 404, 502, 503 or 504 by its cause; `type` is the failure's code."""

    def __init__(self, failure: CallFailed) -> None:
        super().__init__(failure.message, failure.code)
        self.status_code = _STATUSES.get(failure.code, 503)
        # DRF sends `wait` as Retry-After: a server that restarts is often back within a second.
        self.wait = 1 if self.status_code == 503 else None


class NotAllowed(APIException):
    """A call that was not made: 403 where rules or a filter are against it, 409 where it is not offered."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused), refused.code)
        self.status_code = 403 if refused.code in _AGAINST_IT else 409


def unfitting(invalid: InvalidArguments) -> ValidationError:
    """Returns the 422 for arguments that do not fit, by their paths, as `arguments.items[2].id`."""
    return ValidationError({each.where(): [each.message] for each in invalid.problems})
