"""Celery tasks of the index of tools."""

from celery import shared_task

from tools.search import index

SLICE_S = 5.0


@shared_task
def index_tools() -> None:
    """Indexes tools whose text has changed. Sent on commit of such a change, and by beat."""
    # In slices: a worker that is told to end waits for its running task.
    if index.work(for_s=SLICE_S):
        index_tools.delay()
