"""Streams of MCP messages over the three transports, in the form that the SDK's sessions expect."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx2
import orjson
from django.conf import settings
from mcp.client import sse
from mcp.client import streamable_http as sdk_transport
from mcp.shared.message import SessionMessage
from mcp.types import ErrorData, JSONRPCError

from connector.process.stdio import ServerStuck, StdioProcess
from connector.process.stray_output import StrayOutput
from connector.session.authorization import Authorization
from connector.session.challenges import ChallengeTransport
from connector.session.egress_transport import EgressFilteredTransport
from connector.session.limits import OUTPUT_TOO_LARGE, TOO_LARGE_TEXT, CappedTransport
from connector.session.log_streams import LogTransport
from connector.session.notification_limit import NotificationLimit
from connector.session.plain_posts import PlainPosts
from connector.session.streamable_http import streamable_http
from connector.session.unreadable import BY_TRANSPORT, error_for, messages
from connector.wire.lines import Oversized

log = logging.getLogger(__name__)

Streams = tuple[Any, Any]
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 630.0  # longer than any call's time-out: we end calls, not the transport
EVENT_OVERHEAD = 1024
"""The SDK's limit counts an event's other lines, too: it must not reject what CappedTransport lets pass."""
# The SDK (2.3) answers in a server's place where no answer can come, by an error like the server's own ones.
# This module of the SDK makes all of them by this name, and none of those that a server has sent.
sdk_transport.ErrorData = functools.partial(ErrorData, data=BY_TRANSPORT)  # type: ignore[assignment, attr-defined]


@asynccontextmanager
async def stdio_streams(process: StdioProcess, stray: StrayOutput) -> AsyncIterator[Streams]:
    """Connects the streams to a process, which belongs to the caller.

    They end when the process ends, and when it is stopped here: it does not read, or writes nothing but
    `stray` output.
    """
    # Without a buffer: a message waits in the pipe until the session has handled the one before.
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    pumps = [
        asyncio.create_task(_read(process, incoming, stray)),
        asyncio.create_task(_write(process, outgoing)),
    ]
    try:
        yield read_stream, write_stream
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for stream in (incoming, read_stream, write_stream, outgoing):
            stream.close()


async def _read(process: StdioProcess, incoming: Any, stray: StrayOutput) -> None:
    # The session may have closed its end already: what the server writes then is for nobody.
    with incoming, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        limit = NotificationLimit()
        async for line in process.lines():
            if isinstance(line, bytes) and await limit.drops(line):
                continue
            for message in (parsed := _parse(line, stray)):
                await incoming.send(SessionMessage(message))
            if parsed:
                # Only lines in a row count: a server that logs now and then between messages works.
                stray.reset()
            elif stray.is_over_limit:
                await process.stop(hard=True)
                return


def _parse(line: bytes | Oversized, stray: StrayOutput) -> Sequence[Any]:
    """Returns the messages in a line. A line without one is counted as stray output."""
    if isinstance(line, Oversized):
        return _too_large(line)
    found = messages(line)
    if not found:
        stray.add(line)
    return found


def _too_large(line: Oversized) -> Sequence[JSONRPCError]:
    """Returns an error for the call that an oversized line answers; none if its id is not at either end."""
    request_id = line.request_id()
    if request_id is None:
        log.warning("A server's line over the limit was dropped; its call cannot be identified.")
        return ()
    return (error_for(orjson.loads(request_id), OUTPUT_TOO_LARGE, TOO_LARGE_TEXT),)


async def _write(process: StdioProcess, outgoing: Any) -> None:
    with outgoing, suppress(BrokenPipeError, ConnectionResetError):
        async for message in outgoing:
            try:
                await process.write(
                    message.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
                )
            except ServerStuck:
                # Its calls could only time out, and what we write for them would pile up in our memory.
                log.warning("A server has not read its input for too long; it is stopped.")
                await process.stop(hard=True)
                return


@asynccontextmanager
async def http_streams(
    url: str, headers: Mapping[str, str], *, limit: int, auth: Authorization
) -> AsyncIterator[Streams]:
    """Opens a streamable HTTP transport. `limit` is for one message, in bytes."""
    egress = EgressFilteredTransport()
    capped = CappedTransport(egress, limit)
    async with _http_client(headers, capped, auth) as client:
        plain = PlainPosts(client, auth, capped, egress)
        async with streamable_http(plain, url, event_limit=limit + EVENT_OVERHEAD) as streams:
            yield streams


@asynccontextmanager
async def sse_streams(
    url: str, headers: Mapping[str, str], *, limit: int, auth: Authorization
) -> AsyncIterator[Streams]:
    """Opens the older HTTP+SSE transport. `limit` is for one message, in bytes."""
    _raise_sse_limit(limit)

    def client_factory(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
        return _http_client(headers or {}, CappedTransport(EgressFilteredTransport(), limit), auth)

    async with sse.sse_client(url, dict(headers), httpx_client_factory=client_factory, auth=auth) as streams:
        yield streams


def _http_client(
    headers: Mapping[str, str], capped: CappedTransport, auth: Authorization
) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers=dict(headers),
        auth=auth,
        # A server that asks back is silent until it has the answer.
        timeout=httpx2.Timeout(CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S + settings.MCP_INPUT_TIMEOUT_S),
        transport=ChallengeTransport(LogTransport(capped)),
    )


_within_origin = sse.sse_within_origin  # type: ignore[attr-defined]


def _raise_sse_limit(limit: int) -> None:
    """Replaces a function of the SDK's SSE client (2.3): it caps an event at 1 MiB and takes no parameter."""
    sse.sse_within_origin = functools.partial(_within_origin, max_event_size=limit + EVENT_OVERHEAD)  # type: ignore[attr-defined]
