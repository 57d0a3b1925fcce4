"""The first span of a request: it goes on with the caller's trace, by the headers of W3C Trace Context."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.request_metrics import endpoint_of
from core import log_context, tracing

_UNTRACED = frozenset({"probes", "static", "metrics"})
_NAMES = {name.encode(): name for name in tracing.HEADERS}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class RequestTraces:
    """ASGI middleware, for where a collector is named. Callers may say whether their requests are sampled."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (endpoint := endpoint_of(scope["path"])) in _UNTRACED:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        sent = {_NAMES[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _NAMES}
        with tracing.continued(f"{method} {endpoint}", sent) as span:
            if not span.is_recording:
                await self._app(scope, receive, send)
                return
            span.note({"http.request.method": method, "http.route": endpoint})

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.note({"http.response.status_code": status})
                    if status >= 500:
                        span.fail(str(status))
                await send(message)

            try:
                await self._app(scope, receive, noting)
            finally:
                span.note({"mcp_connector.request_id": log_context.request_id.get()})
