"""Tasks that break the worker that runs them: `celery worker --include tests.connector.sabotage`."""

import asyncio
import time
from typing import Any

from celery import shared_task

from connector.supervisor import bootstep


def _supervisor() -> Any:
    (watched,) = bootstep._running
    return watched._supervisor


@shared_task
def block_the_loop(seconds: float) -> None:
    _supervisor()._tell(lambda: time.sleep(seconds))


@shared_task
def end_the_loop() -> None:
    """As a bug in it would."""

    def cancel_everything() -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    _supervisor()._tell(cancel_everything)
