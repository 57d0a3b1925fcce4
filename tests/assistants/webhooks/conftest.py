from collections.abc import Iterator
from typing import Any

import pytest

from apikeys import outbox
from apikeys.models import EventType
from assistants.actions import add_webhook
from assistants.models import Delivery, Webhook
from core.actor import Actor
from tests.assistants.webhooks.receiver import Receiver, receiver

BY = Actor.system("tests")


@pytest.fixture
def receiving(settings: Any) -> Iterator[Receiver]:
    with receiver() as told:
        settings.ALLOWED_PRIVATE_HOSTS = [told.host]
        yield told


@pytest.fixture
def webhook(receiving: Receiver, db: None) -> Webhook:
    return add_webhook(name="pager", url=receiving.address, events=[*EventType.values], by=BY)


def announced(**data: Any) -> Delivery:
    """Returns the delivery of a new event."""
    outbox.announce(EventType.APPROVAL_WAITING, **{"id": 7, "name": "mail send", **data})
    return Delivery.objects.latest("id")
