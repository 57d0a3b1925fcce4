"""The SDK's streamable HTTP transport, with a short way for the requests of callers."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, cast

import aiohttp
import anyio
import httpx2
from anyio.abc import TaskGroup
from httpx2._sse import _SSEParser
from mcp.client import streamable_http as sdk
from mcp.client.streamable_http import RequestContext, StreamableHTTPTransport, _InFlightPost
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp.types import JSONRPCRequest
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from connector.session.plain_posts import PlainAnswer, PlainPosts, handing_over

Receive = Callable[[Any], Awaitable[None]]
_OF_CALLERS = {"tools/call", "resources/read", "prompts/get", "completion/complete"}
"""They come once the session is open: how they are posted does not change any more."""


@dataclass(frozen=True, slots=True)
class _Receiver:
    """What the SDK's transport takes for the stream of what a server sends."""

    send: Receive


class Events:
    """The events of a stream, whose chunks are whole lines: see CappedTransport.

    In place of httpx2's EventSource, whose generators are left where the answer was: asyncio ends each of
    them by a task.
    """

    def __init__(self, response: httpx2.Response, max_event_size: int | None) -> None:
        # httpx2 wraps each stream to measure how long it takes, by a generator as well.
        stream: Any = getattr(response.stream, "_stream", response.stream)
        self._chunks: AsyncIterator[bytes] = aiter(stream)
        self._parser = _SSEParser(max_event_size)
        self._parsed: deque[httpx2.ServerSentEvent] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> httpx2.ServerSentEvent:
        while not self._parsed:
            chunk = await anext(self._chunks)
            self._parsed.extend(self._parser.decode(chunk.decode(errors="replace")))
        return self._parsed.popleft()


# For answers to requests alone: the stream of a GET is read by another module of the SDK.
sdk.EventSource = Events  # type: ignore[assignment, attr-defined]


class Transport(StreamableHTTPTransport):
    """How a request is answered, resumed and cancelled is the SDK's own code (2.3)."""

    def __init__(self, url: str, *, plain: PlainPosts, tasks: TaskGroup, event_limit: int) -> None:
        super().__init__(url, max_sse_event_size=event_limit)
        # httpx2 takes either, and would parse a text anew for each request.
        self._parsed_url = httpx2.URL(url)
        self.url = cast(str, self._parsed_url)
        self._plain = plain
        self._tasks = tasks

    def post(self, sent: SessionMessage, request: JSONRPCRequest, receive: Receive) -> None:
        """Posts a request by a task of its own, as `post_writer` does. Answers go to `receive`."""
        metadata = sent.metadata if isinstance(sent.metadata, ClientMessageMetadata) else None
        receiver = cast(Any, _Receiver(receive))
        context = RequestContext(self._plain.client, self.session_id, sent, metadata, receiver)
        is_modern = self._protocol_version_header in MODERN_PROTOCOL_VERSIONS
        # Here the SDK looks for what a `notifications/cancelled` is about.
        post = self._in_flight_posts[request.id] = _InFlightPost(anyio.CancelScope(), is_modern)
        self._tasks.start_soon(
            self._run_request_post, partial(self._post, context, request), post, request.id
        )

    async def _post(self, context: RequestContext, request: JSONRPCRequest) -> None:
        # Log messages are marked on their way through httpx2: see `log_streams`.
        response = None if isinstance(request.id, str) else await self._posted(context, request)
        if response is None:
            await self._handle_post_request(context)
        elif (answer := self._plain.plain(response)) is None:
            with handing_over(response):
                await self._handle_post_request(context)
        else:
            await self._read(answer, context, request)

    async def _read(self, answer: PlainAnswer, context: RequestContext, request: JSONRPCRequest) -> None:
        response = cast(Any, answer)
        try:
            if answer.is_events:
                await self._handle_sse_response(response, context)
            else:
                await self._handle_json_response(response, context.read_stream_writer, request_id=request.id)
        finally:
            await answer.aclose()

    async def _posted(
        self, context: RequestContext, request: JSONRPCRequest
    ) -> aiohttp.ClientResponse | None:
        own = context.metadata.headers if context.metadata is not None else None
        headers = {name.lower(): value for name, value in {**self._prepare_headers(), **(own or {})}.items()}
        body = request.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return await self._plain.post(self._parsed_url, headers, body)


class Outgoing:
    """The stream that a session writes to.

    Once `receive` is set, a request of a caller is posted at once, and what the server sends on its stream is
    passed to `receive`. The SDK would hand both from task to task.
    """

    def __init__(self, transport: Transport, queue: Any) -> None:
        self.receive: Receive | None = None
        self._transport = transport
        self._queue = queue

    async def send(self, sent: SessionMessage) -> None:
        match sent.message:
            case JSONRPCRequest(method=method) as request if self.receive and method in _OF_CALLERS:
                self._transport.post(sent, request, self.receive)
            case _:
                await self._queue.send(sent)

    async def aclose(self) -> None:
        await self._queue.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@asynccontextmanager
async def streamable_http(
    plain: PlainPosts, url: str, *, event_limit: int
) -> AsyncIterator[tuple[Any, Outgoing]]:
    """Does what the SDK's `streamable_http_client` does (2.3), but yields Outgoing."""
    incoming, read_stream = create_context_streams[SessionMessage | Exception](0)
    queue, queued = create_context_streams[SessionMessage](0)
    async with incoming, read_stream, queue, queued, anyio.create_task_group() as tasks:
        client = plain.client
        transport = Transport(url, plain=plain, tasks=tasks, event_limit=event_limit)

        def start_get_stream() -> None:
            tasks.start_soon(transport.handle_get_stream, client, incoming)

        tasks.start_soon(transport.post_writer, client, queued, incoming, queue, start_get_stream, tasks)
        try:
            yield read_stream, Outgoing(transport, queue)
        finally:
            if transport.session_id:
                await transport.terminate_session(client)
            tasks.cancel_scope.cancel()
