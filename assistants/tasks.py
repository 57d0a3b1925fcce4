import logging

from celery import shared_task
from django.utils.module_loading import import_string

from apikeys import expiry
from assistants import actions
from assistants.actions import approval_ends
from assistants.routing import index
from tools.models import ToolFunction
from tools.search.embedder import EmbedderFailed

log = logging.getLogger(__name__)

ENRICHING_S = 20.0
SENDING_S = 10.0
"""The last requests of it may take as long again: a worker that is to end waits for them."""


@shared_task
def delete_expired() -> None:
    """Deletes rows whose time is over. Beat sends it every five minutes."""
    actions.delete_expired()
    actions.delete_old()


@shared_task
def record_lost_runs() -> None:
    """Records runs whose web process died before it wrote them. Beat sends it twice a minute."""
    # By name, so that neither beat nor an MCP worker imports the agent with the outbox, for 20 MB and 0.4 s.
    import_string("assistants.recording.outbox.recover")()


@shared_task
def fail_abandoned_runs() -> None:
    """Marks runs as failed whose process was killed. Beat sends it every minute."""
    actions.fail_abandoned_runs()


@shared_task
def respond() -> None:
    """Runs responses that wait for a worker.

    The endpoint sends it for each response in the background, and beat every ten seconds: a message can get
    lost.
    """
    if actions.tend_responses():
        # By name, as above.
        import_string("assistants.openai_api.responses.worker.nudge")()


@shared_task
def index_assistants() -> None:
    """Embeds changed assistants. Sent when one was edited, and twice a minute: their tools change too."""
    try:
        index.refresh()
    except EmbedderFailed as failure:
        log.warning("Assistants are not all embedded, and are found by their words: %s", failure.reason)


@shared_task
def enrich_tools() -> None:
    """Has a model write example requests for tools. Beat sends it twice a minute."""
    if ToolFunction.objects.without_examples().exists():
        # By name, as above.
        import_string("assistants.enrichment.work")(for_s=ENRICHING_S)


@shared_task
def send_webhooks() -> None:
    """Tells webhooks about events. Sent with each event, and by beat every ten seconds, for the retries."""
    # By name, as above: an MCP worker sends nothing.
    import_string("assistants.webhooks.send_due")(for_s=SENDING_S)


@shared_task
def announce_expiring_keys() -> None:
    """Tells webhooks of keys that expire soon. Beat sends it every ten minutes."""
    expiry.announce()


@shared_task
def make_approved_calls() -> None:
    """Has calls made that were approved.

    A decision sends it, and beat every ten seconds: a message can get lost.
    """
    if approval_ends.are_to_be_made():
        # By name, as above.
        nudge = import_string("assistants.worker_loop.nudge")
        nudge(import_string("assistants.approvals.execution.ApprovedCalls"))


@shared_task
def tidy_approvals() -> None:
    """Ends calls that wait for nothing any more. Beat sends it every minute."""
    approval_ends.expire()
    approval_ends.cancel_orphans()
