"""The pages of webhooks: the form, the secret that is shown once, and the log of deliveries."""

from typing import Any

import pytest
from django.test import Client

from apikeys.models import OutboxEvent
from assistants.models import Delivery, DeliveryState, Webhook
from tests.console.pages import errors_of, messages_of
from tests.console.people import client_of

pytestmark = pytest.mark.django_db
PAGE, LOG = "/admin/assistants/webhook/", "/admin/assistants/delivery/"
FORM = {
    "name": "Chat",
    "url": "https://hooks.example.org/services/T1?token=abcdef123",
    "events": ["approval.waiting", "server.down"],
    "is_enabled": "on",
}


def add(client: Client, **fields: Any) -> Any:
    return client.post(f"{PAGE}add/", {**FORM, **fields})


def failed(webhook: Webhook) -> Delivery:
    event = OutboxEvent.objects.create(type="server.down", data={"id": 1, "name": "Bank <b>"})
    return Delivery.objects.create(
        webhook=webhook, event=event, state="failed", attempts=8, status_code=500, error="HTTP 500"
    )


def test_the_secret_is_shown_once(admin_client: Client) -> None:
    response = add(admin_client)
    webhook = Webhook.objects.get()
    assert str(webhook.secret) in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    for address in (PAGE, f"{PAGE}{webhook.pk}/change/"):
        shown = admin_client.get(address).content.decode()
        assert str(webhook.secret) not in shown
        assert "abcdef123" not in shown


def test_it_is_changed_and_its_masked_address_stays(admin_client: Client) -> None:
    add(admin_client)
    webhook = Webhook.objects.get()
    page: Any = admin_client.get(f"{PAGE}{webhook.pk}/change/")
    masked = page.context["adminform"].form["url"].value()
    changed = {**FORM, "url": masked, "events": ["key.expiring"], "name": "Talk"}
    assert admin_client.post(f"{PAGE}{webhook.pk}/change/", changed).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.name, webhook.events, webhook.url) == ("Talk", ["key.expiring"], FORM["url"])


def test_a_new_secret_is_shown_once_for_a_form_that_is_sent_twice(admin_client: Client) -> None:
    add(admin_client)
    old = str(Webhook.objects.get().secret)
    address = f"{PAGE}{Webhook.objects.get().pk}/rotate/"
    form = {"seen_version": Webhook.objects.get().version}
    shown = admin_client.post(address, form).content.decode()
    new = str(Webhook.objects.get().secret)
    assert new != old
    assert new in shown
    again = admin_client.post(address, form).content.decode()
    assert str(Webhook.objects.get().secret) == new
    assert new not in again


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "http://127.0.0.1:1/"}, "url"),
        ({"url": ""}, "url"),
        ({"events": []}, "events"),
        ({"events": ["nothing"]}, "events"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(admin_client: Client, fields: dict[str, Any], field: str) -> None:
    assert errors_of(add(admin_client, **fields))[field]
    assert not Webhook.objects.exists()


def test_the_log_says_what_became_of_it_and_it_is_sent_again(admin_client: Client) -> None:
    add(admin_client)
    webhook = Webhook.objects.get()
    delivery = failed(webhook)
    shown = admin_client.get(f"{LOG}?webhook__id__exact={webhook.pk}").content.decode()
    for text in ("A server is down", "Bank &lt;b&gt;", "HTTP 500", "Failed"):
        assert text in shown
    assert "Failing" in admin_client.get(PAGE).content.decode()
    assert "&quot;name&quot;" in admin_client.get(f"{LOG}{delivery.pk}/change/").content.decode()
    told = admin_client.post(f"{LOG}{delivery.pk}/resend/", follow=True)
    assert "It is sent again" in messages_of(told)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 0)
    again = messages_of(admin_client.post(f"{LOG}{delivery.pk}/resend/", follow=True))
    assert "on its way" in again


@pytest.mark.parametrize(
    ("group", "may"), [("viewer", False), ("auditor", False), ("operator", False), ("manager", True)]
)
def test_managers_keep_them_and_others_read(admin_client: Client, group: str, may: bool) -> None:
    add(admin_client)
    webhook = Webhook.objects.get()
    secret, delivery = str(webhook.secret), failed(webhook)
    client = client_of(group)
    assert client.get(PAGE).status_code == client.get(LOG).status_code == 200
    assert client.get(f"{PAGE}{webhook.pk}/change/").status_code == 200
    assert add(client, name="Mine").status_code == (200 if may else 403)
    assert client.post(f"{PAGE}{webhook.pk}/rotate/").status_code == (200 if may else 403)
    client.post(f"{LOG}{delivery.pk}/resend/")
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert (webhook.secret != secret) == may
    assert (delivery.state == DeliveryState.WAITING) == may
