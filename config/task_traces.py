"""A span for each of Celery's tasks, in the trace of who sent it: for where a collector is named.

opentelemetry-instrumentation-celery was not taken: docs/decisions/0034-what-is-observed-and-by-what.md.
"""

from typing import Any

from celery.signals import task_postrun, task_prerun, worker_shutdown

from core import tracing

_FAILED = "FAILURE"


def trace_tasks() -> None:
    """Has this worker export a span for each task."""
    tracing.start()
    spans = TaskSpans()
    task_prerun.connect(spans.begin, weak=False)
    task_postrun.connect(spans.end, weak=False)
    worker_shutdown.connect(_flush)


class TaskSpans:
    """Receivers of Celery's signals. Both are called in the thread that runs the task."""

    def __init__(self) -> None:
        self._open: dict[str, tracing.AnySpan] = {}

    def begin(self, task_id: str, task: Any, **_: Any) -> None:
        attributes = {
            "messaging.system": "celery",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": (task.request.delivery_info or {}).get("routing_key"),
            "messaging.message.id": task_id,
        }
        sent = task.request.headers or {}
        span = tracing.continued(f"process {task.name}", sent, attributes, kind=tracing.CONSUMER)
        self._open[task_id] = span.__enter__()

    def end(self, task_id: str, retval: object = None, state: str | None = None, **_: Any) -> None:
        if (span := self._open.pop(task_id, None)) is None:
            return
        error = retval if state == _FAILED and isinstance(retval, BaseException) else None
        span.__exit__(type(error) if error else None, error, None)


def _flush(**_: Any) -> None:
    tracing.flush()
