"""A request that is sent again joins the running one or gets its answer: no tool runs twice.

It is known again by its `Idempotency-Key`, or, where an OpenAI SDK says that it tries again, by its body. A
caller with an Idempotency-Key says that it will be back: then the run goes on without it.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apikeys.principal import Principal
from assistants import idempotency
from assistants.catalogue.entries import AssistantEntry
from assistants.errors import RequestInterrupted
from assistants.events import Event, ToolStarted
from assistants.models import Attempt
from assistants.openai_api import errors
from assistants.openai_api.detached import detached
from assistants.openai_api.http import EventStream, json_response
from assistants.openai_api.sse import HEARTBEAT, error_event
from core.errors import InvalidRequest

MOST_BYTES = 8 * 1024 * 1024
LOOK_EVERY_S = 0.2
_NAME = re.compile(r"[!-~]{1,255}")
_REPLAYED = {"idempotent-replayed": "true"}
Make = Callable[[], Awaitable[HttpResponse | EventStream]]


@dataclass(slots=True)
class Once:
    """One request, as far as it may be sent again."""

    request: idempotency.Request
    is_named: bool
    """By its caller; else by its body."""
    is_retry: bool
    is_stream: bool
    tool_ran: bool = False
    is_complete: bool = False

    async def watched(self, run: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """`run`, of which it is remembered whether tools ran and whether it came to its end."""
        async with aclosing(run):
            async for event in run:
                self.tool_ran = self.tool_ran or isinstance(event, ToolStarted)
                yield event
        self.is_complete = True

    async def answered(self, make: Make) -> HttpResponse | EventStream:
        """The answer that `make` gives, unless there is one already, or soon. Raises what `make` raises.

        Raises InvalidRequest for another request of this name, and RequestInterrupted.
        """
        if not (self.is_named or self.is_retry):
            idempotency.begin(self.request)
            return await self._made(make)
        standing = await idempotency.claim(self.request)
        if standing.owner == self.request.owner:
            idempotency.began(self.request)
            return await (detached(self._made(make)) if self.is_named else self._made(make))
        if standing.body_hash != self.request.body_hash:
            message = "This Idempotency-Key was used for another request: give each request its own."
            raise InvalidRequest(message, code="idempotency_key_reused", status_code=422)
        if standing.status == Attempt.Status.RUNNING and self.is_stream:
            return EventStream(self._joined(make))
        return _replayed(answer) if (answer := await self._outcome()) else await self.answered(make)

    async def _made(self, make: Make) -> HttpResponse | EventStream:
        try:
            response = await make()
        except BaseException:
            self._end(None)
            raise
        if isinstance(response, EventStream):
            return EventStream(self._kept(response.events))
        self._end({**_head(response), "body": response.content.decode()})
        return response

    async def _kept(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        pieces: list[bytes] = []
        is_whole = False
        try:
            async with aclosing(events):
                async for piece in events:
                    if piece != HEARTBEAT:
                        pieces.append(piece)
                    yield piece
            is_whole = True
        finally:
            body = b"".join(pieces).decode()
            self._end({"status": 200, "type": "text/event-stream", "body": body} if is_whole else None)

    def _end(self, answer: idempotency.Answer | None) -> None:
        """What only cost tokens may be tried again, unless the caller has named it and it succeeded."""
        if not (self.tool_ran or (self.is_named and self.is_complete)):
            idempotency.end(self.request, None)
        elif answer is None or len(answer["body"]) > MOST_BYTES:
            idempotency.end(self.request, Attempt.Status.INTERRUPTED)
        else:
            idempotency.end(self.request, Attempt.Status.ANSWERED, answer)

    async def _outcome(self) -> idempotency.Answer | None:
        """The standing request's answer, once it is there; None where none is to be had but by asking."""
        async with asyncio.timeout(settings.RUN_DEADLINE_S):
            while True:
                standing, is_lost = await idempotency.look(self.request)
                if standing is None:
                    return None
                if is_lost or standing.status == Attempt.Status.INTERRUPTED:
                    raise RequestInterrupted
                if standing.status == Attempt.Status.ANSWERED:
                    answer: idempotency.Answer = standing.answer
                    return answer
                await asyncio.sleep(LOOK_EVERY_S)

    async def _joined(self, make: Make) -> AsyncGenerator[bytes, None]:
        """Heartbeats until the standing request's answer is there, then that, whole."""
        waiting = asyncio.ensure_future(self._outcome())
        try:
            while not (await asyncio.wait([waiting], timeout=settings.STREAM_HEARTBEAT_S))[0]:
                yield HEARTBEAT
            answer = waiting.result()
            response = _replayed(answer) if answer else await self.answered(make)
        except Exception as error:  # noqa: BLE001 - the answer has begun: it is rendered, and logged there
            yield error_event(errors.envelope(error))
            return
        finally:
            waiting.cancel()
        if isinstance(response, EventStream):
            async with aclosing(response.events) as events:
                async for piece in events:
                    yield piece
        else:
            is_stream = response.headers["content-type"] == "text/event-stream"
            yield response.content if is_stream else b"data: " + response.content + b"\n\n"


def once(
    request: HttpRequest, content: Mapping[str, Any], principal: Principal, assistant: AssistantEntry
) -> Once | None:
    """None where nothing speaks for a repetition, or there is nothing that it could spoil.

    Raises InvalidRequest for an impossible Idempotency-Key.
    """
    name = request.META.get("HTTP_IDEMPOTENCY_KEY")
    retries = request.META.get("HTTP_X_STAINLESS_RETRY_COUNT")
    if name is None and (retries is None or not assistant.functions):
        return None
    if name is not None and not _NAME.fullmatch(name):
        message = "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces."
        raise InvalidRequest(message, param="idempotency-key", code="invalid_value")
    body = request.path.encode() + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    body_hash = hashlib.sha256(body).hexdigest()
    return Once(
        idempotency.Request(
            principal.id,
            f"key {name}" if name is not None else f"body {body_hash}",
            body_hash,
            idempotency.RETRIED_TTL if name is None else idempotency.NAMED_TTL,
        ),
        is_named=name is not None,
        is_retry=retries not in (None, "0"),
        is_stream=bool(content.get("stream")),
    )


def _head(response: HttpResponse) -> dict[str, Any]:
    kept = {name: response.headers[name] for name in ("x-should-retry",) if name in response.headers}
    return {"status": response.status_code, "type": response.headers["content-type"], "headers": kept}


def _replayed(answer: idempotency.Answer) -> HttpResponse:
    response = json_response({}, status=answer["status"], headers={**answer.get("headers", {}), **_REPLAYED})
    response.content = answer["body"].encode()
    response.headers["content-type"] = answer["type"]
    return response
