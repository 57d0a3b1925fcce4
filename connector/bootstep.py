"""A supervisor in each Celery worker that consumes the queue `mcp`. Needs the threads pool."""

import os
import signal
from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down

from connector.supervisor import Supervisor

QUEUE = "mcp"
_running: list[Supervisor] = []


class SupervisorStep(bootsteps.StartStopStep):
    """Of the worker, not of its consumer: that one restarts whenever the broker comes back."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        return QUEUE in parent.app.amqp.queues.consume_from

    def start(self, parent: Any) -> None:
        supervisor = Supervisor(parent.hostname, on_death=_end_this_process)
        supervisor.start()
        _running.append(supervisor)

    def stop(self, parent: Any) -> None:
        while _running:
            _running.pop().stop()

    def terminate(self, parent: Any) -> None:
        while _running:
            _running.pop().stop(hard=True)


def install(app: Celery) -> None:
    app.steps["worker"].add(SupervisorStep)
    worker_shutting_down.connect(_begin_drain)


def nudge() -> None:
    for supervisor in _running:
        supervisor.nudge()


def _begin_drain(**_: Any) -> None:
    for supervisor in _running:
        supervisor.begin_drain()


def _end_this_process() -> None:
    """A worker without its supervisor is no use: whoever manages it starts a new one."""
    os.kill(os.getpid(), signal.SIGTERM)
