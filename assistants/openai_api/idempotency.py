"""A request that is sent again joins the running one, or gets its answer: no tool runs twice.

A repetition is recognised by its `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header) or,
where an OpenAI SDK says that it retries, by the hash of its body. A caller with an Idempotency-Key says that
it will come back, so its request goes on when it leaves. The rows are those of `assistants.idempotency`. See
docs/decisions/0015-idempotency.md.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apikeys import limits
from apikeys.principal import Principal
from assistants import idempotency
from assistants.agent import cancellation
from assistants.catalogue.entries import AssistantEntry
from assistants.errors import RequestInterrupted
from assistants.events import Event, Finished, ToolStarted
from assistants.idempotency import IdempotencyKey
from assistants.models import Attempt
from assistants.openai_api import detached, errors
from assistants.openai_api.http import STARTED, EventStream, event_stream
from assistants.openai_api.replay import REPLAYED, StreamCopy, replayed, stored
from assistants.openai_api.sse import HEARTBEAT, error_event
from core import off_loop
from core.errors import InvalidRequest

POLL_EVERY_S = 0.2
_NAME = re.compile(r"[!-~]{1,255}")
Make = Callable[[], Awaitable[HttpResponse | EventStream]]


@dataclass(slots=True)
class IdempotentRequest:
    """One HTTP request that its caller may send again.

    As an observer it notes whether its run called a tool, and whether the run came to its end: the two facts
    that decide what a repetition gets.
    """

    key: IdempotencyKey
    principal: Principal
    is_named: bool
    """Whether the caller named it, by an Idempotency-Key; otherwise its body does."""
    is_retry: bool
    is_stream: bool
    ran_tool: bool = False
    is_complete: bool = False

    async def on_event(self, event: Event) -> None:
        match event:
            case ToolStarted(approval=None):  # else a worker had called it before
                self.ran_tool = True
            case Finished():
                self.is_complete = True

    async def answer_or_replay(self, make: Make) -> HttpResponse | EventStream:
        """Returns the answer of an earlier request of this name, or else the one that `make` gives.

        Raises InvalidRequest if the name belongs to another request, RequestInterrupted if the earlier one
        cannot be answered any more, and what `make` raises.
        """
        if not (self.is_named or self.is_retry):
            # An SDK's first try: nothing came before it, so it does not wait for the database.
            idempotency.overwrite(self.key)
            return await self._answer(make)
        row = await idempotency.claim(self.key)
        if self.key.owns(row):
            idempotency.hold(self.key)
            return await self._answer(make)
        if row.body_hash != self.key.body_hash:
            message = "This Idempotency-Key was used for another request: give each request its own."
            raise InvalidRequest(message, code="idempotency_key_reused", status_code=422)
        # It waits, and runs only if the earlier request has left nothing.
        await limits.current().give_back()
        if row.status == Attempt.Status.RUNNING and self.is_stream:
            return EventStream(self._joined(make), headers=REPLAYED)
        return replayed(answer) if (answer := await self._outcome()) else await self.answer_or_replay(make)

    async def _answer(self, make: Make) -> HttpResponse | EventStream:
        if not self.is_named:
            return await self._answer_and_release(make)
        # When the caller leaves, the cancellation ends at the shield, and the task behind it goes on.
        return await asyncio.shield(detached.start(self._answer_and_release(make)))

    async def _answer_and_release(self, make: Make) -> HttpResponse | EventStream:
        """Returns what `make` returns; how it ends is written into the row."""
        try:
            response = await make()
        except BaseException:
            self._release(None)
            raise
        if not isinstance(response, EventStream):
            self._release(stored(response))
            return response
        copy = StreamCopy(is_followed=self.is_named)
        events = self._copied_stream(response.events, copy)
        if not self.is_named:
            return await event_stream(events)
        return EventStream(copy.follow(detached.start(_exhausted(events))))

    async def _copied_stream(
        self, events: AsyncGenerator[bytes, None], copy: StreamCopy
    ) -> AsyncGenerator[bytes, None]:
        is_whole = False
        try:
            async with aclosing(events):
                yield STARTED
                async for piece in events:
                    copy.add(piece)
                    yield piece
            is_whole = True
        finally:
            self._release(copy.answer() if is_whole else None)

    def _release(self, answer: idempotency.Answer | None) -> None:
        # A run that only cost tokens may run again, unless the caller named it and it succeeded.
        if not (self.ran_tool or (self.is_named and self.is_complete)):
            idempotency.release(self.key, None)
        elif answer is None:
            idempotency.release(self.key, Attempt.Status.INTERRUPTED)
        else:
            idempotency.release(self.key, Attempt.Status.ANSWERED, answer)

    async def _outcome(self) -> idempotency.Answer | None:
        """Returns the owner's answer once it is stored; None if the owner deleted its row without one."""
        async with asyncio.timeout(settings.RUN_DEADLINE_S):
            while True:
                row, is_lost = await idempotency.find(self.key)
                if row is None:
                    return None
                if is_lost or row.status == Attempt.Status.INTERRUPTED:
                    raise RequestInterrupted
                if row.status == Attempt.Status.ANSWERED:
                    answer: idempotency.Answer = row.answer
                    return answer
                await asyncio.sleep(POLL_EVERY_S)

    async def _joined(self, make: Make) -> AsyncGenerator[bytes, None]:
        """Yields heartbeats until the owner's answer is stored, then that answer as a whole."""
        waiting = asyncio.ensure_future(self._outcome())
        try:
            with cancellation.registered(self.principal) as scope:
                # The owner's run may be of another secret of the key, and go on.
                scope.on_cancel(lambda _: waiting.cancel())
                while not (await asyncio.wait([waiting], timeout=settings.STREAM_HEARTBEAT_S))[0]:
                    yield HEARTBEAT
            if scope.reason is not None:
                raise scope.reason
            answer = waiting.result()
            response = replayed(answer) if answer else await self.answer_or_replay(make)
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


async def _exhausted(events: AsyncGenerator[bytes, None]) -> None:
    async with aclosing(events):
        async for _ in events:
            pass


async def idempotent_request(
    request: HttpRequest, content: Mapping[str, Any], principal: Principal, assistant: AssistantEntry
) -> IdempotentRequest | None:
    """Returns None for a request that may simply run again if it is repeated.

    That is one without an Idempotency-Key whose caller is no SDK that retries, or whose assistant has no
    tools: a second run of it costs tokens, and spoils nothing. Raises InvalidRequest for an impossible
    Idempotency-Key.
    """
    name = request.META.get("HTTP_IDEMPOTENCY_KEY")
    retries = request.META.get("HTTP_X_STAINLESS_RETRY_COUNT")
    if name is None and (retries is None or not assistant.functions):
        return None
    if name is not None and not _NAME.fullmatch(name):
        message = "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces."
        raise InvalidRequest(message, param="idempotency-key", code="invalid_value")
    size = int(request.META.get("CONTENT_LENGTH") or off_loop.SMALL + 1)  # chunked bodies declare none
    body_hash = await off_loop.run(partial(_hash, request.path, content), size=size)
    key = IdempotencyKey(
        principal.id,
        f"key {name}" if name is not None else f"body {body_hash}",
        body_hash,
        idempotency.RETRIED_TTL if name is None else idempotency.NAMED_TTL,
    )
    return IdempotentRequest(
        key,
        principal,
        is_named=name is not None,
        is_retry=retries not in (None, "0"),
        is_stream=bool(content.get("stream")),
    )


def _hash(path: str, content: Mapping[str, Any]) -> str:
    body = path.encode() + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()
