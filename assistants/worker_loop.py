"""The event loop of a Celery worker, in a thread of its own: one a process, for which caches and limits are.

Jobs live in it. A task of Celery only nudges the job that it is about; the first nudge starts it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from celery.signals import worker_shutdown
from django.conf import settings

from assistants import lifespans

log = logging.getLogger(__name__)

_STOPPING_S = 8.0


class Job(Protocol):
    """Work that goes on until it is stopped. All of it is called in the loop."""

    def wake(self) -> None:
        """Something may be there to do."""

    def stop(self) -> None:
        """Has `live` return as soon as what it does may end."""

    async def live(self) -> None: ...


class WorkerLoop:
    """Runs jobs, one of each kind."""

    def __init__(self) -> None:
        self._jobs: dict[type[Job], tuple[Job, asyncio.Task[None]]] = {}
        self._wanted: set[type[Job]] = set()
        self._stopping = False
        self._changed: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="jobs of assistants", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def nudge(self, kind: type[Job]) -> None:
        """Wakes the job of this kind up, and starts it first if there is none. From any thread."""
        self._call(self._wanted.add, kind)

    def stop(self) -> None:
        """Stops the jobs: they have SUPERVISOR_DRAIN_S, and a little more to end what then still runs."""
        self._stopping = True
        self._call(self._wanted.clear)
        self._thread.join(settings.SUPERVISOR_DRAIN_S + _STOPPING_S)

    def _call(self, change: Callable[..., object], *args: object) -> None:
        def changed() -> None:
            change(*args)
            self._changed.set()

        self._ready.wait()
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(changed)

    def _main(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        async with lifespans.entered():
            while not self._stopping:
                await self._changed.wait()
                self._changed.clear()
                while self._wanted:
                    self._start_or_wake(self._wanted.pop())
            for job, _ in self._jobs.values():
                job.stop()
            await asyncio.gather(*(task for _, task in self._jobs.values()), return_exceptions=True)

    def _start_or_wake(self, kind: type[Job]) -> None:
        if kind not in self._jobs or self._jobs[kind][1].done():
            job = kind()
            self._jobs[kind] = job, asyncio.create_task(_lived(job))
        self._jobs[kind][0].wake()


async def _lived(job: Job) -> None:
    try:
        await job.live()
    except Exception:  # the top of a task: the next nudge starts the job anew
        log.exception("%s has ended", type(job).__name__)


_lock = threading.Lock()
_worker_loop: WorkerLoop | None = None


def nudge(kind: type[Job]) -> None:
    """Wakes the job of this kind up in this process, whose loop is started first if there is none."""
    global _worker_loop  # noqa: PLW0603 - one loop a process
    with _lock:
        if _worker_loop is None or not _worker_loop.is_alive:
            _worker_loop = WorkerLoop()
            worker_shutdown.connect(_stop)
    _worker_loop.nudge(kind)


def _stop(**_: object) -> None:
    if _worker_loop is not None:
        _worker_loop.stop()
