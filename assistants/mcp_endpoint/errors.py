"""Exceptions as JSON-RPC errors, with the HTTP status that clients of MCP understand."""

import logging

from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import APIException

from apikeys.errors import InvalidApiKey, LimitReached
from assistants.mcp_endpoint import messages
from assistants.mcp_endpoint.addresses import METADATA
from assistants.mcp_endpoint.protocol import INTERNAL_ERROR, INVALID_REQUEST, REFUSED, RpcError
from core.database import DATABASE_ERRORS
from core.errors import unavailable

log = logging.getLogger(__name__)


def rpc_error(error: Exception, path: str, public_url: str) -> RpcError:
    """Returns what a client is told. Unexpected errors are logged, and leak no text."""
    if isinstance(error, DATABASE_ERRORS):
        log.error("The database failed a request: %s", type(error).__name__)
        error = unavailable(error)
    match error:
        case RpcError():
            return error
        case InvalidApiKey():
            challenge = {"www-authenticate": _challenge(path, public_url)}
            return RpcError(REFUSED, str(error.detail), status=401, headers=challenge)
        case LimitReached():
            headers = {name: str(value) for name, value in error.headers.items()}
            return RpcError(REFUSED, str(error.detail), status=429, headers=headers)
        case APIException():
            code = INVALID_REQUEST if error.status_code < 500 else INTERNAL_ERROR
            return RpcError(code, str(error.detail), status=error.status_code)
    log.error("Unexpected error", exc_info=error)
    return RpcError(INTERNAL_ERROR, "Something went wrong on our side.", status=500)


def response(path: str, error: Exception) -> HttpResponse:
    """Returns the answer to a request that did not reach the endpoint, such as one that is too large."""
    refusal = rpc_error(error, path, settings.PUBLIC_URL)
    body = messages.failure(None, refusal)
    return HttpResponse(
        body, content_type="application/json", status=refusal.status or 400, headers=refusal.headers
    )


def _challenge(path: str, public_url: str) -> str:
    """Returns the value of WWW-Authenticate (RFC 6750, section 3; RFC 9728, section 5.1).

    Without an authorization server it names no metadata: clients would begin a login that cannot end.
    """
    challenge = 'Bearer realm="MCP Connector", error="invalid_token"'
    if not settings.MCP_AUTHORIZATION_SERVERS:
        return challenge
    return f'{challenge}, resource_metadata="{public_url}{METADATA}{path}"'
