"""assistants.webhooks: signed, retried with backoff, through the egress filter, by many senders at once."""

import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import resolve
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from apikeys.models import EventType
from assistants.actions import add_webhook, rotate_webhook_secret, update_webhook
from assistants.models import Delivery, Webhook
from assistants.webhooks import deliveries, payload, send_due, sender
from assistants.webhooks.deliveries import BACKOFF_S, CLAIMED_S, Attempt
from assistants.webhooks.turns import Turn
from tests.assistants.webhooks.conftest import BY, announced
from tests.assistants.webhooks.receiver import Receiver, receiver
from tests.stack import wait_for
from tools.secrets.encryption import encrypt


def send() -> int:
    return send_due(for_s=5)


def work(for_s: float, turn: Turn | None = None) -> int:
    """Sends in a thread, as in a process of its own."""
    try:
        return send_due(for_s=for_s, turn=turn or Turn())
    finally:
        connection.close()


def let_pass(seconds: float) -> None:
    for delivery in Delivery.objects.exclude(next_attempt_at=None):
        delivery.next_attempt_at -= timedelta(seconds=seconds)
        delivery.save(update_fields=["next_attempt_at"])


def test_what_is_sent_is_signed_and_says_where_to_look(
    webhook: Webhook, receiving: Receiver, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://mcp.example.org"
    delivery = announced()
    assert send() == 1
    (request,) = receiving.requests
    assert Verifier(webhook.secret).verify(request.body, request.headers) == request.payload
    # ... and by hand, as the specification says.
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{digest}"
    assert request.headers["webhook-id"] == delivery.event.message_id
    assert request.payload["type"] == "approval.waiting"
    assert request.payload["timestamp"].endswith("Z")
    url = "https://mcp.example.org/admin/assistants/approval/7/"
    assert request.payload["data"] == {"id": 7, "name": "mail send", "url": url}
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status_code, delivery.attempts, delivery.next_attempt_at) == (
        "delivered", 200, 1, None,
    )  # fmt: skip
    assert send() == 0


def test_without_a_public_address_no_page_is_named(webhook: Webhook, receiving: Receiver) -> None:
    announced()
    send()
    assert receiving.requests[0].payload["data"]["url"] is None


@pytest.mark.parametrize("event", [EventType.SERVER_DOWN, EventType.TOOL_CHANGED, EventType.KEY_EXPIRING])
def test_the_page_of_an_event_is_one_of_the_console(event: EventType) -> None:
    assert resolve(payload.PAGES[event].format(id=1)).kwargs


def test_a_delivery_that_fails_is_tried_again_under_the_same_id_and_given_up_in_the_end(
    webhook: Webhook, receiving: Receiver
) -> None:
    receiving.statuses = [500] * 10
    receiving.answer = b"no such channel"
    delivery = announced()
    for number, pause in enumerate(BACKOFF_S, 1):
        assert send() == 1
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts, delivery.status_code) == ("waiting", number, 500)
        assert delivery.error == "It answered with status 500. no such channel"
        left = (delivery.next_attempt_at - timezone.now()).total_seconds()
        assert pause - 5 < left <= pause
        assert send() == 0  # it is not due
        let_pass(pause)
    assert send() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == ("failed", 6, None)
    assert len({request.headers["webhook-id"] for request in receiving.requests}) == 1
    assert len({request.body for request in receiving.requests}) == 1


def test_one_that_recovers_is_delivered(webhook: Webhook, receiving: Receiver) -> None:
    receiving.statuses = [503]
    delivery = announced()
    send()
    let_pass(BACKOFF_S[0])
    send()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 2, "")


def test_a_redirect_is_not_followed(webhook: Webhook, receiving: Receiver) -> None:
    receiving.statuses, receiving.headers = [307], {"location": "/elsewhere"}
    delivery = announced()
    send()
    delivery.refresh_from_db()
    assert [request.path for request in receiving.requests] == ["/hooks/T0K3N"]
    assert (delivery.state, delivery.status_code) == ("waiting", 307)


def test_a_private_address_is_refused_when_it_is_called(
    webhook: Webhook, receiving: Receiver, settings: Any
) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = []
    delivery = announced()
    send()
    delivery.refresh_from_db()
    assert not receiving.requests
    assert "ALLOWED_PRIVATE_HOSTS" in delivery.error
    assert "T0K3N" not in delivery.error


def test_a_receiver_that_is_slow_or_gone_fails_and_holds_nobody_up(
    webhook: Webhook, receiving: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DEADLINE_S", 0.3)
    receiving.slow_s = 3
    slow = announced()
    send()
    slow.refresh_from_db()
    assert (slow.status_code, slow.error) == (None, "There was no answer within 0.3 s.")
    Webhook.objects.update(url="http://127.0.0.1:9/T0K3N")
    gone = announced()
    send()
    gone.refresh_from_db()
    assert gone.state == "waiting"
    assert gone.error
    assert "T0K3N" not in gone.error


def test_of_a_long_answer_little_is_read(webhook: Webhook, receiving: Receiver) -> None:
    receiving.statuses, receiving.answer = [400], b"x\0" * 5_000_000
    delivery = announced()
    send()
    delivery.refresh_from_db()
    assert delivery.error.startswith("It answered with status 400. xx")
    assert len(delivery.error) < 300


def test_a_secret_that_no_key_decrypts_fails_its_own_delivery_alone(
    webhook: Webhook, receiving: Receiver
) -> None:
    other = Webhook.objects.create(name="other", url=receiving.address, events=["approval.waiting"])
    unreadable = encrypt("x")[:-20] + "AAAAAAAAAAAAAAAAAAA="
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assistants_webhook SET secret = %s WHERE id = %s", [unreadable, other.pk])
    announced()
    assert send() == 2
    assert Delivery.objects.get(webhook=webhook).state == "delivered"
    assert "SECRET_ENCRYPTION_KEYS" in Delivery.objects.get(webhook=other).error


def test_after_a_rotation_both_secrets_sign_for_a_day(webhook: Webhook, receiving: Receiver) -> None:
    old = webhook.secret
    new = rotate_webhook_secret(webhook, by=BY).secret
    assert new != old
    announced()
    send()
    request = receiving.requests[0]
    for secret in (old, new):
        Verifier(secret).verify(request.body, request.headers)
    Webhook.objects.update(previous_secret_until=timezone.now())
    announced()
    send()
    assert " " not in receiving.requests[1].headers["webhook-signature"]
    Verifier(new).verify(receiving.requests[1].body, receiving.requests[1].headers)


def test_a_sender_that_dies_is_followed_and_says_no_more(webhook: Webhook, receiving: Receiver) -> None:
    announced()
    (dead,) = deliveries.claim(10)
    assert send() == 0  # nobody else has it meanwhile
    let_pass(CLAIMED_S)
    assert send() == 1
    deliveries.finish(dead, Attempt(None, "late"))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 2, "")


def test_a_webhook_that_is_switched_off_is_told_nothing_more(webhook: Webhook, receiving: Receiver) -> None:
    delivery = announced()
    update_webhook(webhook, is_enabled=False, by=BY)
    assert send() == 0
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("failed", "The webhook was switched off.")


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_holds_up_no_other(
    webhook: Webhook, receiving: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DEADLINE_S", 4)
    monkeypatch.setattr(sender, "_LOOK_EVERY_S", 0.1)
    receiving.slow_s = 8
    for number in range(60):
        announced(id=number)
    with receiver() as quick, ThreadPoolExecutor(1) as senders:
        settings.ALLOWED_PRIVATE_HOSTS = [receiving.host, quick.host]
        add_webhook(name="quick", url=quick.address, events=["approval.waiting"], by=BY)
        quick.statuses = [500]
        retried = announced(id=100)
        sending = senders.submit(work, for_s=2)
        wait_for(lambda: Delivery.objects.filter(pk=retried.pk, status_code=500).exists(), within_s=3)
        let_pass(BACKOFF_S[0])  # its retry is due, and another event comes
        announced(id=101)
        wait_for(lambda: len(quick.requests) == 3, within_s=3)
        assert not sending.done()
        wait_for(lambda: len(receiving.requests) == sender.AT_ONCE, within_s=2)
        sending.result()
    assert {request.payload["data"]["id"] for request in quick.requests} == {100, 101}


@pytest.mark.django_db(transaction=True)
def test_who_sends_in_a_process_sends_what_others_come_for(
    webhook: Webhook, receiving: Receiver, settings: Any
) -> None:
    turn = Turn()
    receiving.slow_s = 3
    announced(id=0)
    with receiver() as quick, ThreadPoolExecutor(1) as senders:
        settings.ALLOWED_PRIVATE_HOSTS = [receiving.host, quick.host]
        sending = senders.submit(work, 20, turn)
        wait_for(lambda: receiving.requests, within_s=3)
        add_webhook(name="quick", url=quick.address, events=["approval.waiting"], by=BY)
        announced(id=1)
        assert send_due(for_s=20, turn=turn) == 0
        wait_for(lambda: quick.requests, within_s=5)
        assert not sending.done()
        assert sending.result() == 3
    announced(id=2)
    assert send_due(for_s=0, turn=turn) > 0  # it is free again


@pytest.mark.django_db(transaction=True)
def test_many_senders_send_each_delivery_once(webhook: Webhook, receiving: Receiver) -> None:
    for number in range(60):
        announced(id=number)

    with ThreadPoolExecutor(4) as senders:
        assert sum(senders.map(work, [20] * 4)) == 60
    assert sorted(request.payload["data"]["id"] for request in receiving.requests) == [*range(60)]
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}
