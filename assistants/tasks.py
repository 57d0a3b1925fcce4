from celery import shared_task

from assistants import actions


@shared_task
def fail_abandoned_runs() -> None:
    """Beat sends it every minute."""
    actions.fail_abandoned_runs()
