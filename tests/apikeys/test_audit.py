"""GET /api/v1/audit"""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys import actions
from apikeys.models import AuditEntry
from core.actor import Actor

URL = "/api/v1/audit"
CAROL = Actor("staff", "Carol", 7, request_id="req_1", address="192.0.2.1")
pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    key = actions.issue(by=Actor.system("setup"), name="manager", can_manage=True).key
    return APIClient(headers={"Authorization": f"Bearer {key}"})


def actions_of(api: APIClient, **query: Any) -> list[tuple[str, str]]:
    response = api.get(URL, query)
    assert response.status_code == 200, response.content
    return [(entry["action"], entry["object_name"]) for entry in response.json()]


def test_an_entry_says_who_changed_what(api: APIClient) -> None:
    alice = actions.issue(by=CAROL, name="alice").api_key
    actions.update(alice, by=CAROL, name="bob")
    entry = api.get(URL).json()[0]
    assert entry.pop("id")
    assert entry.pop("at")
    assert entry == {
        "actor_kind": "staff",
        "actor_id": 7,
        "actor_name": "Carol",
        "action": "updated",
        "object_kind": "API key",
        "object_id": alice.pk,
        "object_name": "bob",
        "before": {"name": "alice"},
        "after": {"name": "bob"},
        "request_id": "req_1",
        "address": "192.0.2.1",
    }


def test_the_log_is_filtered(api: APIClient) -> None:
    alice = actions.issue(by=CAROL, name="alice").api_key
    actions.issue(by=Actor.system("demo"), name="dave")
    created = [("created", "dave"), ("created", "alice"), ("created", "manager")]
    assert actions_of(api) == created
    assert actions_of(api, object_kind="api KEY") == created
    assert actions_of(api, object_kind="assistant") == []
    assert actions_of(api, object_kind="API key", object_id=alice.pk) == [("created", "alice")]
    assert actions_of(api, actor="carol") == [("created", "alice")]
    assert actions_of(api, since=(timezone.now() + timedelta(minutes=1)).isoformat()) == []
    assert actions_of(api, since="2001-01-01T00:00:00Z") == created


def test_the_log_is_paged(api: APIClient) -> None:
    actions.issue(by=CAROL, name="alice")
    response = api.get(URL, {"limit": 1})
    assert len(response.json()) == 1
    assert response.headers["X-Total-Count"] == "2"
    assert 'rel="next"' in response.headers["Link"]


@pytest.mark.parametrize(
    "query",
    [
        {"object_id": "x"},
        {"object_id": "-1"},
        {"object_id": "1.5"},
        {"object_id": "9" * 30},
        {"since": "yesterday"},
        {"since": "2001-13-01"},
        {"actor": "nul\0"},
        {"limit": "0"},
    ],
)
def test_bad_filters_are_refused_by_name(api: APIClient, query: dict[str, str]) -> None:
    response = api.get(URL, query)
    assert response.status_code == 422, response.content
    assert list(response.json()["error"]["details"]["fields"]) == list(query)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2001-01-01"])
def test_times_at_the_ends_of_the_calendar_are_no_server_error(api: APIClient, since: str) -> None:
    assert api.get(URL, {"since": since}).status_code in {200, 422}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_log_is_read_only(api: APIClient, method: str) -> None:
    assert getattr(api, method)(URL, {}, format="json").status_code == 405
    assert AuditEntry.objects.count() == 1


def test_the_log_needs_a_managing_key() -> None:
    caller = actions.issue(by=CAROL, name="alice").key
    assert APIClient(headers={"Authorization": f"Bearer {caller}"}).get(URL).status_code == 403
    assert APIClient().get(URL).status_code == 401
