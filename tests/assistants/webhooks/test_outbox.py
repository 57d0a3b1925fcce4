"""apikeys.outbox: an event is written with what it is about, for the webhooks that want it."""

import pytest
from django.db import transaction

from apikeys import outbox
from apikeys.models import EventType, OutboxEvent
from assistants.models import Delivery, Webhook

WAITING, DOWN = EventType.APPROVAL_WAITING, EventType.SERVER_DOWN
pytestmark = pytest.mark.django_db


def webhook(name: str, *events: EventType, is_enabled: bool = True) -> Webhook:
    return Webhook.objects.create(
        name=name, url="https://hooks.example.org/x", events=[*events], is_enabled=is_enabled
    )


def test_an_event_goes_to_each_webhook_that_wants_it() -> None:
    first, second = webhook("first", WAITING), webhook("second", DOWN, WAITING)
    webhook("other", DOWN)
    outbox.announce(WAITING, id=7, name="fake add")
    event = OutboxEvent.objects.get()
    assert (event.type, event.data) == ("approval.waiting", {"id": 7, "name": "fake add"})
    assert event.message_id.startswith("msg_")
    deliveries = Delivery.objects.order_by("webhook__name")
    assert [(each.webhook, each.state, each.attempts) for each in deliveries] == [
        (first, "waiting", 0),
        (second, "waiting", 0),
    ]


def test_nothing_is_written_where_no_enabled_webhook_wants_it() -> None:
    webhook("off", WAITING, is_enabled=False)
    webhook("other", DOWN)
    outbox.announce(WAITING, id=7)
    assert not OutboxEvent.objects.exists()


def test_an_event_of_a_change_that_is_rolled_back_is_none() -> None:
    webhook("first", WAITING)
    with transaction.atomic():
        outbox.announce(WAITING, id=7)
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()
