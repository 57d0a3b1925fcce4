"""The Celery bootstep that starts an McpWorker in each worker that consumes the queue `mcp`.

Needs the threads pool: with prefork tasks run in other processes than the supervisor.
"""

import atexit
import signal
from typing import TYPE_CHECKING, Any

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down
from celery.worker.state import maybe_shutdown
from django.utils.module_loading import import_string
from kombu import Exchange, Queue

from core import broker

if TYPE_CHECKING:
    from connector.supervisor.worker import McpWorker

QUEUE = "mcp"
CANARY_TASK = "connector.tasks.echo"
_running: list["McpWorker"] = []


class McpWorkerStep(bootsteps.StartStopStep):
    """A step of the worker, not of its consumer: that one restarts whenever the broker comes back."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        return QUEUE in parent.app.amqp.queues.consume_from

    def create(self, parent: Any) -> None:
        # Canary messages go to a queue of this worker's own: in `mcp` any worker could consume them.
        self._own_queue = f"{QUEUE}.{parent.hostname}"
        own = Queue(self._own_queue, Exchange(self._own_queue), routing_key=self._own_queue)
        parent.app.amqp.queues.select_add(own)

    def start(self, parent: Any) -> None:
        # A signal may have arrived while the worker started: it need not claim anything then.
        maybe_shutdown()
        # By name: no other worker loads the MCP client.
        worker = import_string("connector.supervisor.worker.McpWorker")
        _running.append(worker(parent.hostname, send_canary=self._send_canary))
        _running[-1].start()

    def stop(self, parent: Any) -> None:
        while _running:
            _running.pop().stop()

    def terminate(self, parent: Any) -> None:
        while _running:
            _running.pop().stop(hard=True)

    def _send_canary(self, expires_s: float) -> None:
        broker.send(CANARY_TASK, queue=self._own_queue, expires_s=expires_s)


def install(app: Celery) -> None:
    app.steps["worker"].add(McpWorkerStep)
    # At the signal, and not when Celery comes to this step: before that it closes the consumer, which waits
    # for the broker.
    worker_shutting_down.connect(_begin_drain)


def canary_received() -> None:
    for worker in _running:
        worker.canary_received()


def _begin_drain(exitcode: int, **_: Any) -> None:
    """Runs for each signal: whoever manages the worker may well repeat one."""
    for worker in _running:
        worker.begin_drain(exitcode)
    # While Python ends it restores the default handlers, and one more SIGTERM would kill the process.
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)
