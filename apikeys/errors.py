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


class Conflict(APIException):
    """409: what was asked for cannot be, given what else there is."""

    status_code = 409
    default_code = "conflict"


class DatabaseUnavailable(APIException):
    status_code = 503
    default_code = "database_unavailable"
    default_detail = "The database does not answer. Try again in a few seconds."
