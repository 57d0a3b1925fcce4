"""Tasks that break the worker that runs them: `celery worker --include tests.connector.sabotage`."""

import asyncio
import time
from typing import Any

from celery import shared_task

from connector.supervisor import bootstep


def _supervisor() -> Any:
    (worker,) = bootstep._running
    return worker._supervisor


@shared_task
def block_the_loop(seconds: float) -> None:
    _supervisor()._call_in_loop(lambda: time.sleep(seconds))


@shared_task
def end_the_loop() -> None:
    """Ends the loop as a bug in it would."""

    def cancel_everything() -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    _supervisor()._call_in_loop(cancel_everything)
