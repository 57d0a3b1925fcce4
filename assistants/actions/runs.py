"""Cancels runs, deletes conversations, and ends what a lost process left running."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from apikeys import audit
from assistants.models import (
    Conversation,
    Run,
    RunCancellation,
    RunStatus,
    StoredResponse,
    ToolCall,
)
from core import pruning
from core.actor import Actor
from core.errors import Conflict


@transaction.atomic
def cancel_run(run: Run, *, by: Actor) -> None:
    """Cancels a run, in whatever process it is, within two seconds. Raises Conflict if it has ended."""
    if run.status != RunStatus.RUNNING:
        raise Conflict(gettext("The run has ended already."), "not_running")
    expires_at = timezone.now() + timedelta(seconds=2 * settings.RUN_DEADLINE_S)
    cancellation, is_new = RunCancellation.objects.get_or_create(
        run_id=run.run_id, defaults={"expires_at": expires_at}
    )
    if is_new:
        audit.created(cancellation, by=by)


@transaction.atomic
def delete_conversation(conversation: Conversation, *, by: Actor) -> None:
    """Deletes a session and all texts of its runs. The runs themselves remain, for the usage."""
    audit.deleted(conversation, by=by)
    ToolCall.objects.filter(run__conversation=conversation).update(arguments=None, result=None)
    conversation.runs.update(request=None, answer=None)
    pruning.delete(StoredResponse.objects.of_conversation(conversation))
    conversation.delete()


def fail_abandoned_runs() -> int:
    """Marks abandoned runs as failed, and returns their number."""
    return Run.objects.abandoned().update(status=RunStatus.FAILED, error="abandoned")


def tend_responses() -> bool:
    """Marks responses as failed whose worker was lost. Returns whether others wait for a worker.

    A lost response is not run again: nobody knows which tools it has called.
    """
    for response in StoredResponse.objects.lost().only("body"):
        error = {"code": "server_error", "message": "The worker that gave this answer was lost. Ask again."}
        # Only if it is still lost: its worker may have been slow, and have renewed the lease since.
        StoredResponse.objects.lost().filter(pk=response.pk).update(
            status=StoredResponse.Status.FAILED, body={**response.body, "error": error}, request=None
        )
    return StoredResponse.objects.waiting().exists()
