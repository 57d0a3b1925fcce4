from celery import shared_task

from tools.search import index

SLICE_S = 5.0


@shared_task
def index_tools() -> None:
    """Sent for what changed in the catalogue, and by beat. In slices, so that a worker can be stopped."""
    if index.work(for_s=SLICE_S):
        index_tools.delay()
