"""Runs background responses in a Celery worker: a job of its event loop, see `assistants.worker_loop`."""

import asyncio
import logging
from contextlib import suppress
from typing import cast
from uuid import UUID
from weakref import WeakSet

from django.conf import settings
from django.db import Error as DatabaseError
from rest_framework.exceptions import APIException

from apikeys import authentication
from apikeys.errors import CallingRequired
from assistants import worker_loop
from assistants.errors import RunCancelled
from assistants.models import StoredResponse
from assistants.openai_api.relay import Relay
from assistants.openai_api.responses import background_store
from assistants.openai_api.responses.answer import Answer
from assistants.openai_api.responses.held_runs import HeldRun
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.output import ResponseEvent
from assistants.openai_api.responses.prepare import Caller, PreparedResponse, prepare
from assistants.openai_api.responses.request import validate
from core import feed, log_context, tracing

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
GATHER_S = 0.2
RENEW_S = 1.0
EVENTS_OF_QUEUEING = 2  # `created` and `queued`, which the web process wrote
_CANCEL_S = 4.0


class WorkerStopped(APIException):
    status_code = 503
    default_code = "worker_stopped"
    default_detail = "The worker that gave this answer was stopped. Ask again."


class BackgroundResponses:
    """Claims waiting responses, up to MOST_AT_ONCE, and cancels those that nobody wants any more."""

    def __init__(self) -> None:
        self._running: dict[UUID, asyncio.Task[None]] = {}
        """By the fences of their claims."""
        self._stopping = False
        self._wake_up = asyncio.Event()

    def wake(self) -> None:
        """A response may be waiting."""
        self._wake_up.set()

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    async def live(self) -> None:
        """Works until it is stopped; then responses have SUPERVISOR_DRAIN_S to finish, and the rest fails."""
        _alive.add(self)
        while not self._stopping:
            await self._poll()
            with suppress(TimeoutError):
                # Without responses there is no lease to renew: beat wakes the worker every ten seconds.
                async with asyncio.timeout(RENEW_S if self._running else None):
                    await self._wake_up.wait()
            self._wake_up.clear()
        await self._drain()

    async def _drain(self) -> None:
        """Waits for responses that are nearly done, and cancels the rest."""
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=settings.SUPERVISOR_DRAIN_S)
        await self._cancel([task for task in tasks if not task.done()])

    async def _poll(self) -> None:
        try:
            await self._renew()
            for row in await background_store.claim(MOST_AT_ONCE - len(self._running)):
                self._start(row)
        except DatabaseError as error:
            log.warning("Background responses: the database is away (%s).", type(error).__name__)
        except Exception:  # a round's boundary: the responses that run go on, and the next round comes
            log.exception("Background responses: a round failed")

    async def _renew(self) -> None:
        if not self._running:
            return
        renewed = await background_store.renew(list(self._running))
        await self._cancel([task for fence, task in self._running.items() if fence not in renewed])

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if not task.cancelling():  # a second time would interrupt the write of its end
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)

    def _start(self, row: StoredResponse) -> None:
        fence = cast(UUID, row.fence)
        task = self._running[fence] = asyncio.create_task(self._traced(row))
        task.add_done_callback(lambda _: self._forget(fence))

    def _forget(self, fence: UUID) -> None:
        del self._running[fence]
        self._wake_up.set()  # there is capacity for another one

    async def _traced(self, row: StoredResponse) -> None:
        # A row that an older release left has no trace.
        sent = row.request.get("trace", {})
        with tracing.continued("response in the background", sent, kind=tracing.CONSUMER):
            await self._respond(row)

    async def _respond(self, row: StoredResponse) -> None:
        held = HeldRun.of(row.request)
        answer = _empty_answer(row, held)
        unwritten: list[ResponseEvent] = []
        try:
            if held and (awaits := await background_store.first_open(held.numbers[-1])):
                await background_store.wait(row, awaits, held, [])
                return
            prepared = await _prepare(row, held)
            answer = prepared.answer
            await _follow(prepared, row, unwritten, is_resumed=held is not None)
            if answer.awaits:
                await _give_back(row, held or HeldRun(), answer, unwritten)
                return
        except asyncio.CancelledError:
            unwritten += answer.fail(WorkerStopped()) if self._stopping else answer.cancel()
        except RunCancelled:
            unwritten += answer.cancel()
        except Exception as error:  # noqa: BLE001 - the run's boundary: rendered into the response, and logged there
            unwritten += answer.fail(error)
        await background_store.finish(row, answer.body, unwritten)


async def _give_back(
    row: StoredResponse, held: HeldRun, answer: Answer, unwritten: list[ResponseEvent]
) -> None:
    """Leaves the response to whichever worker comes by when the approval is decided."""
    waiting = held.going_on(answer.awaits, answer.open_calls, answer.next_number)
    await background_store.wait(row, answer.awaits[0], waiting, unwritten, answer.body)


def _empty_answer(row: StoredResponse, held: HeldRun | None) -> Answer:
    """Returns the answer of a run that fails before it has begun."""
    first_number = held.next_number if held else EVENTS_OF_QUEUEING
    answer = Answer({**row.body, "output": []}, server_labels={}, first_number=first_number)
    if held:
        answer.resume(row.body, held.open_calls)
    return answer


async def _prepare(row: StoredResponse, held: HeldRun | None) -> PreparedResponse:
    """Prepares the request once more: the key or the assistant may be gone by now."""
    request = row.request
    principal = await authentication.principal_of(row.api_key_id)
    log_context.take({"request_id": request["request_id"], "key": principal.key_prefix})
    if not principal.can_call_assistant:
        raise CallingRequired
    prepared = await prepare(
        validate(request["body"]),
        principal,
        ids=Ids.of(row.response_id),
        # A row that an older release left has no end user.
        caller=Caller(request["request_id"], request["session_id"], request.get("end_user", "")),
        first_number=held.next_number if held else EVENTS_OF_QUEUEING,
    )
    if held:
        return prepared.resumed(row.body, held)
    prepared.answer.body |= {"created_at": row.body["created_at"], "status": row.body["status"]}
    return prepared


async def _follow(
    prepared: PreparedResponse, row: StoredResponse, unwritten: list[ResponseEvent], *, is_resumed: bool
) -> None:
    """Runs the response, and writes its events in batches.

    It returns with the last events in `unwritten`: `finish` writes them together with the end.
    """
    if not is_resumed:
        unwritten += prepared.begin()
    await background_store.append(row, unwritten)
    unwritten.clear()
    relay = Relay(await prepared.start())
    try:
        while (events := await relay.next_events()) is not None:
            unwritten += [each for event in events for each in prepared.answer.render(event)]
            if prepared.answer.is_over or prepared.answer.awaits:
                await relay.next_events()  # to the end of the run, which records it
                return
            await asyncio.sleep(GATHER_S)
            await background_store.append(row, unwritten)
            unwritten.clear()
    finally:
        await relay.close()


_alive: "WeakSet[BackgroundResponses]" = WeakSet()


def _on_approval() -> None:
    """A response may have waited for it."""
    for job in _alive:
        job.wake()


feed.subscribe(["assistants_approval"], _on_approval)


def nudge() -> None:
    """Has this process claim responses that wait."""
    worker_loop.nudge(BackgroundResponses)
