"""Webhooks are told of keys that expire in 14, 3 and 1 days, once each."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apikeys import actions
from apikeys.models import ApiKey, AuditEntry, OutboxEvent
from assistants.models import Webhook
from assistants.tasks import announce_expiring_keys
from core.actor import Actor

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def webhook() -> Webhook:
    return Webhook.objects.create(name="pager", url="https://1.1.1.1/x", events=["key.expiring"])


def key(*, days: float) -> ApiKey:
    expires_at = timezone.now() + timedelta(days=days)
    return actions.issue(by=BY, name=f"key {days}", expires_at=expires_at).api_key


def told() -> list[tuple[str, int]]:
    before = set(OutboxEvent.objects.values_list("pk", flat=True))
    announce_expiring_keys()
    return [(event.data["name"], event.data["days"]) for event in OutboxEvent.objects.exclude(pk__in=before)]


def let_pass(days: float) -> None:
    for row in ApiKey.objects.exclude(expires_at=None):
        ApiKey.objects.filter(pk=row.pk).update(expires_at=row.expires_at - timedelta(days=days))


def test_each_threshold_is_told_once() -> None:
    key(days=20)
    assert told() == []
    let_pass(6.5)
    assert told() == [("key 20", 14)]
    assert told() == []
    let_pass(11)
    assert told() == [("key 20", 3)]
    let_pass(2)
    assert told() == [("key 20", 1)]
    assert told() == []
    let_pass(1)
    assert told() == []  # it has expired


def test_of_several_thresholds_at_once_the_last_is_told() -> None:
    key(days=0.5)
    assert told() == [("key 0.5", 1)]
    assert told() == []


def test_a_key_whose_expiry_was_put_off_is_told_of_again() -> None:
    row = key(days=2)
    assert told() == [("key 2", 3)]
    actions.update(row, by=BY, name="renamed", expires_at=row.expires_at)
    assert told() == []
    actions.update(row, by=BY, expires_at=timezone.now() + timedelta(days=10))
    assert told() == [("renamed", 14)]
    assert "expiry_told_days" not in str([*AuditEntry.objects.values()])


def test_a_disabled_key_is_not_told_of() -> None:
    actions.disable(key(days=2), by=BY)
    assert told() == []
