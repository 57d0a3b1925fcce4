from collections.abc import Mapping

from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied


class InvalidApiKey(AuthenticationFailed):
    """401: the key is missing, malformed, unknown, disabled or expired. The sent text is never repeated."""

    default_code = "invalid_api_key"


class ManagementRequired(PermissionDenied):
    default_code = "management_required"
    default_detail = "This API key may not manage: use a key with the permission can_manage."


class CallingRequired(PermissionDenied):
    default_code = "calling_required"
    default_detail = "This API key may not call assistants: it lacks the permission can_call_assistant."


class NetworkNotAllowed(PermissionDenied):
    default_code = "network_not_allowed"
    default_detail = "This API key may not be used from your address."


class LimitReached(APIException):
    """429. `headers` say when to come back, if it is worth it."""

    status_code = 429

    def __init__(self, message: str, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, code)
        self.headers = headers


class LimitsUnavailable(APIException):
    """For keys with limits, while those cannot be counted and RATE_LIMIT_FAILS_OPEN is false."""

    status_code = 503
    default_code = "limits_unavailable"
    default_detail = "The limits of this API key cannot be checked at the moment. Try again in a few seconds."
