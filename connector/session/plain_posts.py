"""Posts of callers' requests that httpx2 takes no part in, as long as their answers are plain.

httpx2 costs as much as all else that a call needs. What it is there for (a login, a redirect, a cookie, an
error) is left to it: an answer that is not plain is handed to it as if it had posted the request itself.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx2

from connector.session.authorization import Authorization
from connector.session.egress_transport import EgressFilteredTransport, handed_over
from connector.session.http_client import Body
from connector.session.limits import CappedTransport

_CONTENT = ("application/json", "text/event-stream")


class PlainPosts:
    """`client` is what sends everything else of the session; `capped` and `egress` are below it."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        authorization: Authorization,
        capped: CappedTransport,
        egress: EgressFilteredTransport,
    ) -> None:
        self.client = client
        self._authorization = authorization
        self._capped = capped
        self._egress = egress
        self._defaults = {name.lower(): value for name, value in client.headers.items()}

    async def post(
        self, url: httpx2.URL, headers: Mapping[str, str], body: bytes
    ) -> aiohttp.ClientResponse | None:
        """Returns the answer; None, with nothing sent, where httpx2 has something to add.

        Raises what httpx2 raises.
        """
        token = self._authorization.ready_token
        has_cookies = next(iter(self.client.cookies.jar), None) is not None
        if token is None or has_cookies:
            return None
        host = url.netloc.decode()
        sent = {**self._defaults, **headers, "accept-encoding": "identity", "host": host}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return await self._egress.post(url, sent, body, self.client.timeout)

    def plain(self, response: aiohttp.ClientResponse) -> "PlainAnswer | None":
        """Returns what the SDK reads; None for an answer that is not plain."""
        headers = response.headers
        content_type = headers.get("content-type", "").lower()
        if (
            response.status != 200
            or not content_type.startswith(_CONTENT)
            or headers.get("content-encoding", "identity") != "identity"
            or "set-cookie" in headers
        ):
            return None
        self._authorization.accepted()
        is_events = content_type.startswith("text/event-stream")
        return PlainAnswer(self._capped.capped(Body(response), is_events=is_events), is_events=is_events)


class PlainAnswer:
    """As much of `httpx2.Response` as the SDK (2.3) needs to read an answer."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, is_events: bool) -> None:
        self.stream = stream
        self.is_events = is_events

    async def aread(self) -> bytes:
        chunks: AsyncIterator[bytes] = aiter(self.stream)
        return b"".join([chunk async for chunk in chunks])

    async def aclose(self) -> None:
        await self.stream.aclose()


@contextmanager
def handing_over(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Inside the block, the first request of this task that httpx2 sends is answered by `response`."""
    waiting: list[Any] = [response]
    token = handed_over.set(waiting)
    try:
        yield
    finally:
        handed_over.reset(token)
        for each in waiting:
            each.close()
