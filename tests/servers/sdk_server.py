"""What fixtures on the official SDK's server have in common: conformance.py and matrix.py."""

import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPDeprecationWarning


class SdkServer(Server[Any]):
    """The SDK's server reports changes of lists in the era of sessions only where it is told to."""

    def create_initialization_options(self, *_: Any, **__: Any) -> Any:
        return super().create_initialization_options(NotificationOptions(True, True, True))


def sdk_server(name: str, **handlers: Any) -> SdkServer:
    """`handlers`: parameters of the SDK's server. What it asks back has a state that is sealed."""
    # What the older era has is deprecated in the later one, and these servers are of both.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    server = SdkServer(name, version="1", **handlers)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=name))
    return server


def run_stdio(serve: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Serves on standard input and output, until the input ends."""

    async def run() -> None:
        async with stdio_server() as (read, write):
            await serve(read, write)

    anyio.run(run)
