"""A supervisor in each Celery worker that consumes the queue `mcp`. Needs the threads pool."""

import atexit
import signal
from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down
from celery.worker.state import maybe_shutdown
from kombu import Exchange, Queue

from connector.supervisor.worker import WatchedSupervisor
from core import broker

QUEUE = "mcp"
ECHO = "connector.tasks.echo"
_running: list[WatchedSupervisor] = []


class SupervisorStep(bootsteps.StartStopStep):
    """Of the worker, not of its consumer: that one restarts whenever the broker comes back."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        return QUEUE in parent.app.amqp.queues.consume_from

    def create(self, parent: Any) -> None:
        """It consumes a queue of its own besides."""
        self._own_queue = f"{QUEUE}.{parent.hostname}"
        own = Queue(self._own_queue, Exchange(self._own_queue), routing_key=self._own_queue)
        parent.app.amqp.queues.select_add(own)

    def start(self, parent: Any) -> None:
        maybe_shutdown()  # a worker that was told to end while it started need not claim anything
        _running.append(WatchedSupervisor(parent.hostname, probe=self._probe))
        _running[-1].start()

    def stop(self, parent: Any) -> None:
        while _running:
            _running.pop().stop()

    def terminate(self, parent: Any) -> None:
        while _running:
            _running.pop().stop(hard=True)

    def _probe(self, expires_s: float) -> None:
        broker.send(ECHO, queue=self._own_queue, expires_s=expires_s)


def install(app: Celery) -> None:
    app.steps["worker"].add(SupervisorStep)
    worker_shutting_down.connect(_begin_drain)


def echo() -> None:
    for supervisor in _running:
        supervisor.echo()


def _begin_drain(exitcode: int, **_: Any) -> None:
    """However often it is told: whoever manages the worker may well repeat a signal."""
    for supervisor in _running:
        supervisor.begin_drain(exitcode)
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)  # Python's end would let one more kill it
