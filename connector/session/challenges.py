"""A server's demand for a login with more scopes: RFC 6750, section 3.1, and MCP's step-up authorization."""

import re

import httpx2
import orjson

from connector.session.unreadable import BY_TRANSPORT
from core.message import Message

INSUFFICIENT_SCOPE = -31998  # ours: outside the ranges of JSON-RPC and of the SDK
_SCOPE = re.compile(r'\bscope="([^"]{1,500})"|\bscope=([^\s,"]{1,500})')


def demanded_scope(response: httpx2.Response) -> str | None:
    """Returns the scopes that a 403 demands, separated by spaces; "" for none named; None for no demand."""
    challenge = response.headers.get("www-authenticate", "")
    if response.status_code != 403 or "insufficient_scope" not in challenge:
        return None
    scope = _SCOPE.search(challenge)
    return " ".join((scope[1] or scope[2]).split()) if scope else ""


def demand(scope: str) -> str:
    """Returns the demand in words, for staff and for the model."""
    if not scope:
        return Message("The server asks for a login with more rights: somebody has to log in to it again.")
    return Message(
        "The server asks for a login with the scopes %(scopes)s: somebody has to log in to it again.",
        scopes=scope,
    )


class ChallengeTransport(httpx2.AsyncBaseTransport):
    """Answers a request that needs more scopes by an error that says so: the session itself goes on.

    Without it the SDK would report "Server returned an error response", or the server's own words.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        scope = demanded_scope(response)
        if scope is None:
            return response
        await response.aclose()
        headers = [(name, value) for name, value in response.headers.items() if name == "www-authenticate"]
        error = {"code": INSUFFICIENT_SCOPE, "message": demand(scope), "data": BY_TRANSPORT}
        # The SDK puts in the id of the request that it sent.
        body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
        headers.append(("content-type", "application/json"))
        return httpx2.Response(response.status_code, headers=headers, content=body, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()
