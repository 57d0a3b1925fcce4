"""Reading of an HTTP body up to a limit, because a service may send without an end."""

import aiohttp


class BodyTooLarge(Exception):
    """The body is longer than the limit. The response must be closed: the rest of it was not read."""


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Returns the whole body, of at most `limit` bytes. Raises BodyTooLarge.

    The bytes that come are counted: a Content-Length may be absent or untrue, and counts compressed bytes.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge
    return bytes(body)
