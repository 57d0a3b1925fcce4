"""The access of a key, as managers read it, and the key as it reads itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey
from assistants import actions
from assistants.actions.assistants import ToolUse
from tests.assistants.api.conftest import BY, Client, key, server
from tools.models import MCPTool, Status, ToolFunction


def access(api: Client, of: IssuedKey) -> dict[str, Any]:
    """Returns the access of a key by the assistants' slugs."""
    return {each["assistant"]["slug"]: each for each in api.read(f"api-keys/{of.api_key.pk}/access")}


def running(name: str, *functions: str, **fields: Any) -> MCPTool:
    row = server(name, *functions, **fields)
    MCPTool.objects.filter(pk=row.pk).update(status=Status.RUNNING)
    return row


def test_a_key_reaches_granted_assistants_with_running_servers(api: Client) -> None:
    alice, time = key("alice"), running("Time", "now")
    assistant = actions.create(by=BY, name="Helper", tools=[time], api_keys=[alice.api_key])
    assert access(api, alice)["helper"] == {
        "is_reachable": True,
        "reasons": [],
        "assistant": {"id": assistant.pk, "slug": "helper", "name": "Helper"},
        "tools": [
            {
                "is_reachable": True,
                "reasons": [],
                "mcp_tool": {"id": time.pk, "slug": "time", "name": "Time"},
                "functions": [
                    {"is_reachable": True, "reasons": [], "name": "now", "public_name": "time__now"}
                ],
            }
        ],
    }


def test_reasons_against_an_assistant_are_named(api: Client) -> None:
    alice = key("alice")
    actions.create(by=BY, name="Foreign")
    actions.create(by=BY, name="Off", is_enabled=False, api_keys=[alice.api_key])
    reasons = {slug: each["reasons"] for slug, each in access(api, alice).items()}
    assert reasons == {"foreign": ["not_granted"], "off": ["assistant_disabled"]}
    yesterday = timezone.now() - timedelta(days=1)
    ApiKey.objects.filter(pk=alice.api_key.pk).update(
        is_disabled=True, can_call_assistant=False, expires_at=yesterday
    )
    assert access(api, alice)["off"]["reasons"] == [
        "key_disabled",
        "key_expired",
        "calling_not_permitted",
        "assistant_disabled",
    ]


def test_reasons_against_a_tool_are_named(api: Client) -> None:
    alice = key("alice")
    time = running("Time", "now", "old", "off", "new", "other", approval="pinned")
    broken, stopped = server("Broken"), server("Stopped", is_enabled=False)
    MCPTool.objects.filter(pk=broken.pk).update(status=Status.ERROR)
    ToolFunction.objects.filter(name="old").update(removed_at=timezone.now())
    ToolFunction.objects.filter(name="off").update(is_enabled=False)
    ToolFunction.objects.filter(name="new").update(approved_hash="")
    chosen = ToolUse(time, ["now", "old", "off", "new"])
    actions.create(by=BY, name="Helper", tools=[chosen, broken, stopped], api_keys=[alice.api_key])
    tools = access(api, alice)["helper"]["tools"]
    assert {each["mcp_tool"]["slug"]: each["reasons"] for each in tools} == {
        "time": [],
        "broken": ["server_error"],
        "stopped": ["server_stopped"],
    }
    [functions] = [each["functions"] for each in tools if each["functions"]]
    assert {each["name"]: each["reasons"] for each in functions} == {
        "now": [],
        "old": ["function_removed"],
        "off": ["function_disabled"],
        "new": ["not_approved"],
        "other": ["not_chosen"],
    }


def test_access_is_paged(api: Client, manager: IssuedKey) -> None:
    for name in ("A", "B", "C"):
        actions.create(by=BY, name=name)
    response = api.get(f"/api/v1/api-keys/{manager.api_key.pk}/access?limit=2")
    assert [each["assistant"]["slug"] for each in response.json()] == ["a", "b"]
    assert response.headers["X-Total-Count"] == "3"


@pytest.mark.parametrize("key_id", ["0", "999999", "9" * 40, "x"])
def test_an_unknown_key_is_not_found(api: Client, key_id: str) -> None:
    assert api.refused("get", f"api-keys/{key_id}/access")[0] == 404


def test_any_key_may_read_itself(api: Client) -> None:
    alice = key("alice", requests_per_minute=5)
    for name, enabled in (("Helper", True), ("Off", False)):
        actions.create(by=BY, name=name, is_enabled=enabled, api_keys=[alice.api_key])
    actions.create(by=BY, name="Foreign")
    me = Client(alice.key).read("me")
    assert [each["slug"] for each in me.pop("assistants")] == ["helper"]
    assert me == {
        "id": alice.api_key.pk,
        "name": "alice",
        "key_prefix": alice.api_key.key_prefix,
        "permissions": {
            "can_manage": False,
            "can_call_assistant": True,
            "can_approve": False,
            "is_disabled": False,
        },
        "limits": {
            "requests_per_minute": 5,
            "tokens_per_minute": None,
            "concurrent_requests": None,
            "tokens_per_month": None,
        },
        "expires_at": None,
    }
    key_actions.disable(alice.api_key, by=BY)
    assert Client(alice.key).refused("get", "me")[0] == 401


def test_only_managers_may_read_the_access_of_other_keys(api: Client) -> None:
    alice = key("alice")
    status, error = Client(alice.key).refused("get", f"api-keys/{alice.api_key.pk}/access")
    assert (status, error["type"]) == (403, "management_required")
