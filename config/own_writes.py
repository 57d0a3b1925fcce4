"""What a management request has changed holds for the next request to this process."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import feed

_MANAGEMENT = "/api/v1/"
_READS = ("GET", "HEAD", "OPTIONS")


class OwnWrites:
    """ASGI middleware of the management API: a success that changes something empties the caches first.

    Else a program that makes a rule and then asks an assistant could be answered without the rule: the change
    feed needs a moment. Other web processes hear of it by the feed alone. Only the API: its callers have a
    key, and nobody without one should be able to empty the caches.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _changes(scope):
            await self._app(scope, receive, send)
            return

        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                feed.forget()
            await send(message)

        await self._app(scope, receive, send_after)


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in _READS and scope["path"].startswith(_MANAGEMENT)
