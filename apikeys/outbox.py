"""The outbox: events that webhooks are told about, written in the transaction that makes them true.

So no event is lost by a crash, and none is told about that was rolled back. `assistants.webhooks` sends them.
"""

from typing import Any

from django.db import models, transaction

from apikeys.models import EventType, OutboxEvent
from core import broker

SEND_TASK = "assistants.tasks.send_webhooks"


def announce(type: EventType, **data: Any) -> None:  # noqa: A002 - the name in the payload
    """Writes an event for the webhooks that want it; nothing where none does. Call it in a transaction.

    `data`: ids and names, which every receiver may read; `id` and `name` are those of what it is about.
    """
    wanting = _webhooks().filter(is_enabled=True, events__contains=[type.value])
    webhooks = list(wanting.values_list("pk", flat=True))
    if not webhooks:
        return
    with transaction.atomic():
        event = OutboxEvent.objects.create(type=type, data=data)
        event.webhooks.add(*webhooks)
    transaction.on_commit(send)


def send() -> None:
    """Has a worker send what is due, soon. Beat does it in any case."""
    broker.send_hint(SEND_TASK, warning="Webhooks are sent some seconds late: the broker is away (%s).")


def _webhooks() -> models.Manager[Any]:
    # By the reverse relation, which `assistants` declares: this app must not import that one.
    return OutboxEvent._meta.get_field("webhooks").related_model._default_manager
