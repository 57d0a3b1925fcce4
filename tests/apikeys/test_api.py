"""The management API of keys, over real requests."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions
from apikeys.models import ApiKey, AuditEntry
from core.actor import Actor

BY = Actor.system("tests")
URL = "/api/v1/api-keys"
pytestmark = pytest.mark.django_db


def client_of(key: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def manager() -> ApiKey:
    return actions.issue(by=BY, name="manager", can_manage=True)


@pytest.fixture
def api(manager: Any) -> APIClient:
    return client_of(manager.key)


def create(api: APIClient, **fields: Any) -> dict[str, Any]:
    response = api.post(URL, {"name": "alice", **fields}, format="json")
    assert response.status_code == 201, response.content
    return response.json()


def test_a_created_key_has_the_ordered_shape_and_is_shown_once(api: APIClient) -> None:
    created = create(api)
    assert created["permissions"] == {
        "can_manage": False,
        "can_call_assistant": True,
        "can_approve": False,
        "is_disabled": False,
    }
    assert created["key"].startswith(created["key_prefix"].removesuffix("..."))
    read = api.get(f"{URL}/{created['id']}").json()
    assert "key" not in read
    assert read == {name: value for name, value in created.items() if name != "key"}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_may_be_partial(api: APIClient, method: str) -> None:
    created = create(api, limits={"requests_per_minute": 5})
    send = getattr(api, method)
    response = send(
        f"{URL}/{created['id']}",
        {"permissions": {"can_manage": True}, "limits": {"tokens_per_minute": 9}},
        format="json",
    )
    changed = response.json()
    assert changed["permissions"] == {
        "can_manage": True,
        "can_call_assistant": True,
        "can_approve": False,
        "is_disabled": False,
    }
    assert changed["limits"]["requests_per_minute"] == 5
    assert changed["limits"]["tokens_per_minute"] == 9
    assert changed["name"] == "alice"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "x" * 1_000_000}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": ["a"]}, "name"),
        ({"name": "a", "permissions": "all"}, "permissions"),
        ({"name": "a", "permissions": {"can_fly": True}}, "permissions"),
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "a", "assistant_ids": [999_999]}, "assistant_ids"),
        ({"name": "a", "assistant_ids": "1"}, "assistant_ids"),
        ({"name": "a", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a", "limits": {"requests_per_minute": -1}}, "limits"),
        ({"name": "a", "allowed_networks": ["everywhere"]}, "allowed_networks"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    api: APIClient, body: dict[str, Any], field: str
) -> None:
    response = api.post(URL, body, format="json")
    assert response.status_code in {413, 422}, response.content
    if response.status_code == 422:
        assert list(response.json()["error"]["details"]["fields"]) == [field]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"null", b"\xff", b'{"name": "\xed\xa0\x80"}', b"[" * 20_000]
)
def test_malformed_json_is_refused_in_the_envelope(api: APIClient, body: bytes) -> None:
    response = api.post(URL, body, content_type="application/json")
    assert response.status_code in {400, 422}
    assert response.json()["success"] is False


def test_no_key_makes_a_key_that_approves(api: APIClient) -> None:
    wanted = {"name": "bob", "permissions": {"can_approve": True}}
    refused = api.post(URL, wanted, format="json")
    assert list(refused.json()["error"]["details"]["fields"]) == ["permissions"]
    created = create(api)
    url = f"{URL}/{created['id']}"
    assert api.patch(url, {"permissions": {"can_approve": True}}, format="json").status_code == 422
    assert api.get(url).json()["permissions"]["can_approve"] is False
    # What was read may be sent back.
    assert api.put(url, {"permissions": created["permissions"]}, format="json").status_code == 200
    approving = actions.issue(by=BY, name="approving", can_approve=True).api_key
    kept = api.patch(f"{URL}/{approving.pk}", {"permissions": {"can_approve": True}}, format="json").json()
    assert kept["permissions"]["can_approve"] is True


def test_a_taken_name_is_a_conflict(api: APIClient) -> None:
    create(api)
    response = api.post(URL, {"name": "ALICE"}, format="json")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "already_taken")


def test_lists_are_bare_newest_first_and_paged_by_headers(api: APIClient) -> None:
    names = [create(api, name=f"key {number}")["name"] for number in range(3)]
    response = api.get(URL, {"limit": 2})
    assert [row["name"] for row in response.json()] == [names[2], names[1]]
    assert response.headers["X-Total-Count"] == "4"
    assert 'offset=2>; rel="next"' in response.headers["Link"]
    response = api.get(URL, {"limit": 2, "offset": 2})
    assert 'rel="prev"' in response.headers["Link"]
    assert 'rel="next"' not in response.headers["Link"]


def test_lists_are_searched_and_filtered(api: APIClient) -> None:
    create(api, name="alice")
    create(api, name="bob", permissions={"is_disabled": True})
    assert [row["name"] for row in api.get(URL, {"search": "ALI"}).json()] == ["alice"]
    assert [row["name"] for row in api.get(URL, {"is_disabled": "true"}).json()] == ["bob"]


def test_a_lost_update_is_refused(api: APIClient) -> None:
    created = create(api)
    url = f"{URL}/{created['id']}"
    seen = api.get(url).headers["ETag"]
    assert api.patch(url, {"name": "bob"}, format="json", headers={"If-Match": seen}).status_code == 200
    late = api.patch(url, {"name": "carol"}, format="json", headers={"If-Match": seen})
    assert late.status_code == 412
    assert api.delete(url, headers={"If-Match": seen}).status_code == 412
    assert api.get(url).json()["name"] == "bob"


def test_the_last_managing_key_cannot_be_removed(api: APIClient, manager: Any) -> None:
    response = api.delete(f"{URL}/{manager.api_key.pk}")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "last_managing_key")
    assert ApiKey.objects.filter(pk=manager.api_key.pk).exists()


@pytest.mark.parametrize("permissions", [{"can_manage": False}, {"is_disabled": True}])
def test_a_key_cannot_take_management_away_from_itself(
    api: APIClient, manager: Any, permissions: dict[str, bool]
) -> None:
    create(api, name="other", permissions={"can_manage": True})
    response = api.patch(f"{URL}/{manager.api_key.pk}", {"permissions": permissions}, format="json")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "own_management")
    assert api.get(URL).status_code == 200


def test_both_keys_work_until_the_grace_period_ends(api: APIClient) -> None:
    created = create(api, name="other", permissions={"can_manage": True})
    url = f"{URL}/{created['id']}/rotate"
    second = api.post(url, {"grace_seconds": 3600}, format="json").json()["key"]
    assert client_of(created["key"]).get(URL).status_code == 200
    assert client_of(second).get(URL).status_code == 200
    api.post(url, {"grace_seconds": 0}, format="json")
    assert client_of(created["key"]).get(URL).status_code == 401
    assert client_of(second).get(URL).status_code == 401


def test_a_key_that_may_not_manage_is_refused(api: APIClient) -> None:
    caller = client_of(create(api)["key"])
    response = caller.get(URL)
    assert (response.status_code, response.json()["error"]["type"]) == (403, "management_required")


def test_without_a_key_there_is_a_challenge() -> None:
    response = APIClient().get(URL)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_each_change_is_in_the_audit_trail(api: APIClient, manager: Any) -> None:
    created = create(api)
    api.patch(f"{URL}/{created['id']}", {"name": "bob"}, format="json")
    api.delete(f"{URL}/{created['id']}")
    entries = AuditEntry.objects.filter(object_id=created["id"]).order_by("id")
    assert [entry.action for entry in entries] == ["created", "updated", "deleted"]
    assert (entries[1].before, entries[1].after) == ({"name": "alice"}, {"name": "bob"})
    assert {entry.actor_id for entry in entries} == {manager.api_key.pk}
    assert created["key"] not in str(list(entries.values()))
