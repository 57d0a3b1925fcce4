"""The span of a request to a server, which goes on there by `_meta.traceparent`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connector.wire.results import name_of
from core import tracing


@contextmanager
def of_request(method: str, params: dict[str, Any], version: str) -> Iterator[dict[str, Any]]:
    """Yields the params with the context of the trace in their `_meta`, in the place of the caller's."""
    is_call = method in {"tools/call", "prompts/get"}
    name = name_of(method, params) if is_call else ""
    attributes = {
        "mcp.method.name": method,
        "mcp.protocol.version": version,
        "gen_ai.tool.name" if method == "tools/call" else "gen_ai.prompt.name": name or None,
    }
    with tracing.span(f"{method} {name}".strip(), attributes, kind=tracing.CLIENT):
        carried = tracing.carried()
        yield {**params, "_meta": {**(params.get("_meta") or {}), **carried}} if carried else params
