"""The management API of webhooks and their deliveries."""

from typing import Any

import pytest
from django.conf import LazySettings

from apikeys.models import AuditEntry, EventType
from apikeys.outbox import announce
from assistants.models import Delivery, DeliveryState, Webhook
from tests.assistants.api.conftest import Client, key

URL = "https://1.1.1.1/services/T0KEN5511aXbYcZ99qQ77"
HOOK = {"name": "pager", "url": URL, "events": ["approval.waiting", "server.down"]}
MASKED = "https://1.1.1.1/services/********"


def delivery(webhook: dict[str, Any]) -> Delivery:
    announce(EventType.SERVER_DOWN, id=3, name="fake")
    return Delivery.objects.filter(webhook=webhook["id"]).latest("id")


def test_a_secret_is_shown_once(api: Client) -> None:
    created = api.create("webhooks", HOOK)
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    assert (created["url"], created["is_enabled"], created["version"]) == (MASKED, True, 1)
    assert api.read(f"webhooks/{created['id']}") == created
    assert api.read("webhooks") == [created]
    stored = Webhook.objects.get()
    assert (stored.url, stored.secret) == (URL, secret)
    assert not {secret, "T0KEN5511aXbYcZ99qQ77"} & set(str([*AuditEntry.objects.values()]).split("'"))
    assert "T0KEN5511" not in str([*AuditEntry.objects.values()])


def test_a_webhook_is_changed_and_deleted(api: Client) -> None:
    path = f"webhooks/{api.create('webhooks', HOOK)['id']}"
    changed = api.change(path, {"url": MASKED, "events": ["server.up"], "is_enabled": False})
    assert (changed["events"], changed["is_enabled"], changed["version"]) == (["server.up"], False, 2)
    assert "secret" not in changed
    assert Webhook.objects.get().url == URL
    assert api.refused("patch", path, {"name": "x"}, if_match='"1"')[0] == 412
    assert api.delete(f"/api/v1/{path}").status_code == 204
    assert [each.action for each in AuditEntry.objects.filter(object_kind="webhook")] == [
        "deleted", "updated", "created",
    ]  # fmt: skip


def test_a_secret_is_rotated(api: Client) -> None:
    created = api.create("webhooks", HOOK)
    response = api.post(f"/api/v1/webhooks/{created['id']}/rotate")
    assert response.status_code == 200
    rotated = response.json()
    assert rotated["secret"] != created["secret"]
    assert (rotated["version"], response["etag"]) == (2, '"2"')
    entry = AuditEntry.objects.filter(action="rotated").get()
    assert "whsec_" not in str([entry.before, entry.after])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://10.1.2.3/x"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "https://example.org/" + "x" * 2048}, "url"),
        ({"events": []}, "events"),
        ({"events": ["server.exploded"]}, "events"),
        ({"events": ["server.up", "server.up"]}, "events"),
        ({"events": "server.up"}, "events"),
        ({"name": "a\0b"}, "name"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_stored(
    api: Client, fields: dict[str, Any], field: str
) -> None:
    status, error = api.refused("post", "webhooks", HOOK | fields)
    assert (status, list(error["details"]["fields"])) == (422, [field])
    assert not Webhook.objects.exists()


def test_a_name_is_taken(api: Client) -> None:
    api.create("webhooks", HOOK)
    assert api.refused("post", "webhooks", HOOK | {"name": "PAGER"})[0] == 409


def test_only_keys_that_manage_see_webhooks(api: Client) -> None:
    api.create("webhooks", HOOK)
    caller = Client(key("caller").key)
    assert caller.refused("get", "webhooks")[0] == 403
    assert caller.refused("get", f"webhooks/{Webhook.objects.get().pk}/deliveries")[0] == 403


def test_deliveries_are_listed_and_sent_again(api: Client, settings: LazySettings) -> None:
    webhook = api.create("webhooks", HOOK)
    path = f"webhooks/{webhook['id']}/deliveries"
    row = delivery(webhook)
    (shown,) = api.read(path, state="waiting", type="server.down")
    assert (shown["webhook_id"], shown["type"], shown["data"]) == (
        row.event.message_id, "server.down", {"id": 3, "name": "fake"},
    )  # fmt: skip
    assert api.read(path, state="failed") == []
    assert api.refused("post", f"{path}/{row.pk}/resend")[0] == 409  # it is on its way
    Delivery.objects.update(state=DeliveryState.FAILED, attempts=6, next_attempt_at=None, error="gone")
    response = api.post(f"/api/v1/{path}/{row.pk}/resend")
    assert (response.status_code, response.json()["state"], response.json()["attempts"]) == (
        202,
        "waiting",
        0,
    )
    assert AuditEntry.objects.filter(action="resent", object_id=webhook["id"]).count() == 1


def test_a_delivery_of_another_webhook_is_not_found(api: Client) -> None:
    first, other = (api.create("webhooks", HOOK | {"name": name}) for name in ("a", "b"))
    row = delivery(first)
    assert api.refused("post", f"webhooks/{other['id']}/deliveries/{row.pk}/resend")[0] == 404
    assert api.refused("get", "webhooks/999/deliveries")[0] == 404


def test_nothing_is_sent_again_to_a_webhook_that_is_off(api: Client) -> None:
    webhook = api.create("webhooks", HOOK)
    row = delivery(webhook)
    api.change(f"webhooks/{webhook['id']}", {"is_enabled": False})
    status, error = api.refused("post", f"webhooks/{webhook['id']}/deliveries/{row.pk}/resend")
    assert (status, error["type"]) == (409, "webhook_disabled")
