"""What a management request has changed holds for the next request to this process."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import feed

_READS = ("GET", "HEAD", "OPTIONS")


class OwnWrites:
    """ASGI middleware of the management API: a success that changes something empties the caches first.

    Else a program that makes a rule and then asks an assistant could be answered without the rule: the change
    feed needs a moment. Other web processes hear of it by the feed alone. Not for the console, whose pages
    answer strangers with 200: nobody without a key should be able to empty the caches.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return

        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                feed.forget()
            await send(message)

        await self._app(scope, receive, send_after)
