"""Cancel runs, delete conversations, and tidy up what runs leave behind."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apikeys import audit
from assistants.models import (
    Conversation,
    Expiring,
    Run,
    RunCancellation,
    RunStatus,
    StoredResponse,
    ToolCall,
)
from core.actor import Actor
from core.errors import Conflict


@transaction.atomic
def cancel_run(run: Run, *, by: Actor) -> None:
    """Whichever process runs it ends it within two seconds. Raises Conflict where it has ended already."""
    if run.status != RunStatus.RUNNING:
        raise Conflict("The run has ended already.", "not_running")
    expires_at = timezone.now() + timedelta(seconds=2 * settings.RUN_DEADLINE_S)
    cancellation, is_new = RunCancellation.objects.get_or_create(
        run_id=run.run_id, defaults={"expires_at": expires_at}
    )
    if is_new:
        audit.created(cancellation, by=by)


@transaction.atomic
def delete_conversation(conversation: Conversation, *, by: Actor) -> None:
    """What was said in its runs goes with it; the runs themselves stay, for the usage."""
    audit.deleted(conversation, by=by)
    ToolCall.objects.filter(run__conversation=conversation).update(arguments=None, result=None)
    conversation.runs.update(request=None, answer=None)
    StoredResponse.objects.of_conversation(conversation).delete()
    conversation.delete()


def delete_expired() -> None:
    """State whose time is over."""
    for model in Expiring.__subclasses__():
        model._default_manager.filter(expires_at__lte=timezone.now()).delete()
    conversations = Conversation.objects.filter(messages_expire_at__lte=timezone.now())
    conversations.update(messages=None, messages_expire_at=None)


def fail_abandoned_runs() -> int:
    """How many there were."""
    return Run.objects.abandoned().update(status=RunStatus.FAILED, error="abandoned")


def tend_responses() -> bool:
    """Fail those whose worker was lost: they are never run again. Whether others wait for a worker."""
    for response in StoredResponse.objects.lost():
        error = {"code": "server_error", "message": "The worker that gave this answer was lost. Ask again."}
        StoredResponse.objects.lost().filter(pk=response.pk).update(
            status=StoredResponse.Status.FAILED, body={**response.body, "error": error}, request=None
        )
    return StoredResponse.objects.waiting().exists()
