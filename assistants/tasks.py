import logging

from celery import shared_task
from django.utils.module_loading import import_string

from assistants import actions
from assistants.recording import outbox
from assistants.routing import index
from tools.models import ToolFunction
from tools.search.embedder import EmbedderFailed

log = logging.getLogger(__name__)

ENRICHING_S = 20.0


@shared_task
def delete_expired() -> None:
    """Beat sends it every five minutes."""
    actions.delete_expired()


@shared_task
def record_lost_runs() -> None:
    """Beat sends it twice a minute."""
    outbox.recover()


@shared_task
def fail_abandoned_runs() -> None:
    """Beat sends it every minute."""
    actions.fail_abandoned_runs()


@shared_task
def respond() -> None:
    """Doors send it for a response in the background, and beat every ten seconds, should one get lost."""
    if actions.tend_responses():
        # By name: of all workers only one that is to respond loads the agent.
        import_string("assistants.openai_api.responses.worker.nudge")()


@shared_task
def index_assistants() -> None:
    """Sent when one changed, and by beat twice a minute: their tools may have."""
    try:
        index.refresh()
    except EmbedderFailed as failure:
        log.warning("Assistants are not all embedded, and are found by their words: %s", failure.reason)


@shared_task
def enrich_tools() -> None:
    """Beat sends it twice a minute."""
    if ToolFunction.objects.without_examples().exists():
        # By name: of all workers only one that is to ask a model loads the agent.
        import_string("assistants.enrichment.work")(for_s=ENRICHING_S)
