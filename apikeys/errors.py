"""Errors of authentication, permissions and limits. Endpoints and the management API render them."""

from collections.abc import Mapping

from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied


class InvalidApiKey(AuthenticationFailed):
    """401: the key is missing, malformed, unknown, disabled or expired. The sent text is never repeated."""

    default_code = "invalid_api_key"
    auth_header = "Bearer"
    """The challenge of the answer, as DRF names it."""


class ManagementRequired(PermissionDenied):
    """403: the key lacks the permission `can_manage`."""

    default_code = "management_required"
    default_detail = "This API key may not manage: use a key with the permission can_manage."


class CallingRequired(PermissionDenied):
    """403: the key lacks the permission `can_call_assistant`."""

    default_code = "calling_required"
    default_detail = "This API key may not call assistants: it lacks the permission can_call_assistant."


class NetworkNotAllowed(PermissionDenied):
    """403: the caller's address is in none of the key's networks. The address is not repeated."""

    default_code = "network_not_allowed"
    default_detail = "This API key may not be used from your address."


class LimitReached(APIException):
    """429: a limit of the key is reached. `headers` say when to try again, or that it is of no use."""

    status_code = 429

    def __init__(self, message: str, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, code)
        self.headers = headers


class LimitsUnavailable(APIException):
    """503: the limits of the key cannot be counted now, and RATE_LIMIT_FAILS_OPEN is false."""

    status_code = 503
    default_code = "limits_unavailable"
    default_detail = "The limits of this API key cannot be checked at the moment. Try again in a few seconds."
