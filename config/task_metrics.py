"""Counts Celery's tasks, by their names and how they end, and has their lines of the log name them."""

import time
from typing import Any

from core import log_context, metrics

_UNTOLD = "UNKNOWN"


class Counting:
    """Receivers of Celery's signals."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}

    def begin(self, task_id: str, task: Any, **_: Any) -> None:
        self._began[task_id] = time.monotonic()
        log_context.take({"task": f"{task.name} {task_id}"})

    def end(self, task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
        log_context.take({})
        began = self._began.pop(task_id, None)
        metrics.TASKS.add(task.name, (state or _UNTOLD).lower())
        if began is not None:
            metrics.TASK_SECONDS.observe(time.monotonic() - began, task.name)
