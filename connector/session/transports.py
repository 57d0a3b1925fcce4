"""Streams of MCP messages over the three transports, as the SDK's sessions take them."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx2
import orjson
from mcp.client import sse
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

from connector.process.stdio import ServerStuck, StdioProcess
from connector.process.stray_output import StrayOutput
from connector.session.authorization import Authorization
from connector.session.guarded import GuardedTransport
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT, CappedTransport
from connector.wire.lines import Oversized

log = logging.getLogger(__name__)

Streams = tuple[Any, Any]
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 630.0  # longer than any call's deadline: calls are ended by us, not by the transport
SLACK = 1024  # CappedTransport keeps the limit; what it lets pass the SDK must not refuse


@asynccontextmanager
async def stdio_streams(process: StdioProcess, noise: StrayOutput) -> AsyncIterator[Streams]:
    """The process belongs to the caller; the streams end when it ends, stops reading or floods us."""
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    pumps = [
        asyncio.create_task(_pump_in(process, incoming, noise)),
        asyncio.create_task(_pump_out(process, outgoing)),
    ]
    try:
        yield read_stream, write_stream
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for stream in (incoming, read_stream, write_stream, outgoing):
            stream.close()


async def _pump_in(process: StdioProcess, incoming: Any, noise: StrayOutput) -> None:
    with incoming, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for line in process.lines():
            message = _parse(line, noise)
            if message is not None:
                noise.reset()
                await incoming.send(SessionMessage(message))
            elif noise.is_over_limit:
                await process.stop(hard=True)
                return


def _parse(line: bytes | Oversized, noise: StrayOutput) -> Any:
    """None for what is no message."""
    if isinstance(line, Oversized):
        return _too_large(line)
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except (ValidationError, RecursionError):
        noise.add(line)
        return None


def _too_large(line: Oversized) -> JSONRPCError | None:
    request_id = line.request_id()
    if request_id is None:
        log.warning("A server's line over the limit was dropped; no call could be told from it.")
        return None
    error = ErrorData(code=OUTPUT_TOO_LARGE, message=TOO_LARGE_TEXT)
    return JSONRPCError(jsonrpc="2.0", id=orjson.loads(request_id), error=error)


async def _pump_out(process: StdioProcess, outgoing: Any) -> None:
    with outgoing, suppress(BrokenPipeError, ConnectionResetError):
        async for message in outgoing:
            try:
                await process.write(
                    message.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
                )
            except ServerStuck:
                log.warning("A server has not read its input for too long; it is stopped.")
                await process.stop(hard=True)
                return


@asynccontextmanager
async def http_streams(
    url: str, headers: Mapping[str, str], *, limit: int, auth: Authorization
) -> AsyncIterator[Streams]:
    async with (
        _http_client(headers, limit, auth) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=limit + SLACK) as streams,
    ):
        yield streams


@asynccontextmanager
async def sse_streams(
    url: str, headers: Mapping[str, str], *, limit: int, auth: Authorization
) -> AsyncIterator[Streams]:
    _raise_sse_limit(limit)

    def client_factory(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
        return _http_client(headers or {}, limit, auth)

    async with sse.sse_client(url, dict(headers), httpx_client_factory=client_factory, auth=auth) as streams:
        yield streams


def _http_client(headers: Mapping[str, str], limit: int, auth: Authorization) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers=dict(headers),
        auth=auth,
        timeout=httpx2.Timeout(CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        transport=CappedTransport(GuardedTransport(httpx2.AsyncHTTPTransport()), limit),
    )


_within_origin = sse.sse_within_origin  # type: ignore[attr-defined]


def _raise_sse_limit(limit: int) -> None:
    """The SDK's SSE client (2.3) has no parameter for the size of an event, which it caps at 1 MiB."""
    sse.sse_within_origin = functools.partial(_within_origin, max_event_size=limit + SLACK)  # type: ignore[attr-defined]
