"""A change by the management API: PATCH sends no more statements than it needs."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from assistants import actions
from core.actor import Actor
from tests.queries import assert_at_most_queries
from tools import actions as server_actions

BY = Actor.system("tests")
BEGIN_AND_COMMIT = 2
"""Here a savepoint and its release: the whole test is one transaction."""
COMMON = BEGIN_AND_COMMIT + 4
"""The caller's key, the row under a lock, its new values, the audit log."""
UNIQUE_NAME = 1
pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    manager = key_actions.issue(by=BY, name="manager", can_manage=True)
    return APIClient(headers={"Authorization": f"Bearer {manager.key}"})


def server(name: str) -> Any:
    return server_actions.register(
        by=BY, name=name, connection_type="streamable_http", url="https://example.com/mcp"
    )


def an_assistant() -> str:
    keys = [key_actions.issue(by=BY, name=f"key {number}").api_key for number in range(3)]
    made = actions.create(by=BY, name="Desk", aliases=["gpt-4o"], tools=[server("Time")], api_keys=keys)
    return f"assistants/{made.pk}"


def a_server() -> str:
    return f"mcp-tools/{server('Time').pk}"


def a_key() -> str:
    issued = key_actions.issue(by=BY, name="caller")
    actions.create(by=BY, name="Desk", api_keys=[issued.api_key])
    return f"api-keys/{issued.api_key.pk}"


@pytest.mark.parametrize(
    ("make", "change", "most"),
    [
        (an_assistant, {"system_prompt": "Be brief."}, COMMON),
        (an_assistant, {"name": "Help desk"}, COMMON + UNIQUE_NAME),
        (an_assistant, {"aliases": ["gpt-4o", "gpt-5"]}, COMMON + 11),
        (a_server, {"timeouts": {"call_s": 20}}, COMMON),
        (a_server, {"is_enabled": False}, COMMON + 2),
        (a_key, {"limits": {"requests_per_minute": 5}}, COMMON + 1),
        (a_key, {"name": "other"}, COMMON + 1 + UNIQUE_NAME),
    ],
)
def test_it_sends_few_statements(
    api: APIClient, make: Callable[[], str], change: dict[str, Any], most: int
) -> None:
    path = f"/api/v1/{make()}"
    seen = api.get(path)
    with assert_at_most_queries(most):
        answer = api.patch(path, change, format="json", headers={"If-Match": seen["ETag"]})
    assert (answer.status_code, answer.data["version"]) == (200, seen.data["version"] + 1)
    read = api.get(path)
    assert (answer.data, answer["ETag"]) == (read.data, read["ETag"])
