"""Beat inside of a worker (`celery worker -B`): a thread of it, which costs no process and ends with it."""

import threading
from typing import Any

import celery.beat
from celery import Celery


class BeatThread(threading.Thread):
    """Sends the periodic tasks. Celery's own is a process, which goes on when its worker is killed."""

    def __init__(self, app: Celery, **options: Any) -> None:
        super().__init__(name="beat", daemon=True)
        self._service = celery.beat.Service(app, **options)

    def run(self) -> None:
        self._service.start()

    def stop(self) -> None:
        """Returns at once: the thread sleeps until its next task is due."""
        self._service.stop(wait=False)


def install() -> None:
    celery.beat.EmbeddedService = BeatThread  # type: ignore[assignment]
