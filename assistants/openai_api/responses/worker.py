"""Gives background responses in a Celery worker: in one event loop that lives as long as the process."""

import asyncio
import logging
import threading
from contextlib import suppress

from celery.signals import worker_shutdown
from django.conf import settings
from django.db import Error as DatabaseError
from rest_framework.exceptions import APIException

from apikeys import authentication
from apikeys.errors import CallingRequired
from assistants import lifespans
from assistants.errors import RunCancelled
from assistants.models import StoredResponse
from assistants.openai_api.relay import Relay
from assistants.openai_api.responses import background_store
from assistants.openai_api.responses.answer import Answer, WireEvent
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.prepare import Work, prepare
from assistants.openai_api.responses.request import validate

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
GATHER_S = 0.2
RENEW_S = 1.0
TOLD_BY_THE_DOOR = 2  # events, before a worker takes a response up
_ENDING_S = 4.0


class WorkerStopped(APIException):
    status_code = 503
    default_code = "worker_stopped"
    default_detail = "The worker that gave this answer was stopped. Ask again."


class Worker:
    """Takes up what waits, as long as there is room, and ends what is not wanted any more."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Task[None]] = {}
        self._stopping = False
        self._news: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="background responses", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def nudge(self) -> None:
        """There may be something to take up. From any thread."""
        self._ready.wait()
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(self._news.set)

    def stop(self) -> None:
        """What still runs after SUPERVISOR_DRAIN_S is ended, and fails."""
        self._stopping = True
        self.nudge()
        self._thread.join(settings.SUPERVISOR_DRAIN_S + 2 * _ENDING_S)

    def _main(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        async with lifespans.entered():
            while not self._stopping:
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), RENEW_S if self._running else None)
                self._news.clear()
            await self._drain()

    async def _drain(self) -> None:
        """What is nearly done may get done."""
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=settings.SUPERVISOR_DRAIN_S)
        await self._end([task for task in tasks if not task.done()])

    async def _look(self) -> None:
        try:
            await self._renew()
            for row in await background_store.claim(MOST_AT_ONCE - len(self._running)):
                self._take_up(row)
        except DatabaseError as error:
            log.warning("Background responses: the database is away (%s).", type(error).__name__)

    async def _renew(self) -> None:
        if not self._running:
            return
        wanted = await background_store.renew(list(self._running))
        await self._end([task for pk, task in self._running.items() if pk not in wanted])

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if not task.cancelling():  # a second time would keep it from telling its end
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_ENDING_S)

    def _take_up(self, row: StoredResponse) -> None:
        task = self._running[row.pk] = asyncio.create_task(self._respond(row))
        task.add_done_callback(lambda _: self._let_go(row.pk))

    def _let_go(self, response_pk: int) -> None:
        self._running.pop(response_pk, None)
        self._news.set()  # there is room again

    async def _respond(self, row: StoredResponse) -> None:
        answer = Answer({**row.body, "output": []}, server_labels={}, first_number=TOLD_BY_THE_DOOR)
        untold: list[WireEvent] = []
        try:
            work = await _prepared(row)
            answer = work.answer
            await _follow(work, row.pk, untold)
        except asyncio.CancelledError:
            untold += answer.fail(WorkerStopped()) if self._stopping else answer.cancel()
        except RunCancelled:
            untold += answer.cancel()
        except Exception as error:  # noqa: BLE001 - the run's boundary: told in the response, and logged there
            untold += answer.fail(error)
        await background_store.finish(row.pk, answer.body, untold)


async def _prepared(row: StoredResponse) -> Work:
    """Anew from what was asked: meanwhile the key or the assistant may have gone."""
    request = row.request
    principal = await authentication.principal_of(row.api_key_id)
    if not principal.can_call_assistant:
        raise CallingRequired
    work = await prepare(
        validate(request["body"]),
        principal,
        ids=Ids.of(row.response_id),
        request_id=request["request_id"],
        session_id=request["session_id"],
        first_number=TOLD_BY_THE_DOOR,
    )
    work.answer.body |= {"created_at": row.body["created_at"], "status": row.body["status"]}
    return work


async def _follow(work: Work, response_pk: int, untold: list[WireEvent]) -> None:
    """Ends with the last events in `untold`: they are written together with the end."""
    untold += work.begin()
    await background_store.append(response_pk, untold)
    untold.clear()
    relay = Relay(await work.start())
    try:
        while (events := await relay.next_events()) is not None:
            untold += [told for event in events for told in work.answer.take(event)]
            if work.answer.is_over:
                await relay.next_events()  # to the end of the run, which records it
                return
            await asyncio.sleep(GATHER_S)
            await background_store.append(response_pk, untold)
            untold.clear()
    finally:
        await relay.close()


_lock = threading.Lock()
_worker: Worker | None = None


def nudge() -> None:
    """Have this process look for what waits."""
    global _worker  # noqa: PLW0603 - one loop a process
    with _lock:
        if _worker is None or not _worker.is_alive:
            _worker = Worker()
            worker_shutdown.connect(_stop)
    _worker.nudge()


def _stop(**_: object) -> None:
    if _worker is not None:
        _worker.stop()
