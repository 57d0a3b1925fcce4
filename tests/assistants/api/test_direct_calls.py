"""What rules make of functions that managing keys call over REST. No server runs: a made call is 503."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from apikeys.models import AuditEntry
from assistants import filtering
from assistants.filtering import FilterRefused
from assistants.models import Approver, Effect, Rule
from tests.assistants.approvals.scene import BY, Scene, build
from tools.models import ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
MADE = (503, "server_unavailable")


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return build()


def managing(name: str = "manager", **permissions: bool) -> IssuedKey:
    return key_actions.issue(by=BY, name=name, can_manage=True, **permissions)


def call(issued: IssuedKey) -> Any:
    client = APIClient(headers={"Authorization": f"Bearer {issued.key}"})
    url = "/api/v1/mcp-tools/bank/functions/pay/call"
    return client.post(url, {"arguments": {"to": "bob", "amount": 5}}, format="json")


def outcome(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["type"]


def message(response: Any) -> str:
    return str(response.json()["error"]["message"])


def calls_on_record() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(action="called").values_list("actor_kind", "object_name"))


def test_a_call_that_no_rule_is_against_is_made_and_on_record(scene: Scene) -> None:
    assert outcome(call(managing())) == MADE
    assert calls_on_record() == [("key", "Bank: bank__pay")]


def test_a_rule_that_forbids_the_call_is_named(scene: Scene) -> None:
    Rule.objects.create(name="Payments", effect=Effect.DENY, reason="Nobody is paid by hand.")
    refused = call(managing(can_approve=True))
    assert outcome(refused) == (403, "denied_by_rule")
    assert "“Payments” forbids this call: Nobody is paid by hand." in message(refused)
    assert calls_on_record() == []


@pytest.mark.parametrize("approver", Approver)
def test_where_somebody_must_agree_a_key_that_may_approve_has_agreed(
    scene: Scene, approver: Approver
) -> None:
    Rule.objects.create(name="Payments", effect=Effect.ASK, approver=approver)
    refused = call(managing())
    assert outcome(refused) == (403, "approval_required")
    assert "“Payments”" in message(refused)
    assert "can_approve" in message(refused)
    assert outcome(call(managing("approver", can_approve=True))) == MADE


def test_what_the_filter_refuses_is_not_called(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: Any) -> Any:
        raise FilterRefused("No payments today.")

    monkeypatch.setattr(filtering, "filter_call", refuses)
    refused = call(managing())
    assert outcome(refused) == (403, "denied_by_filter")
    assert "No payments today." in message(refused)
    assert calls_on_record() == []


def test_rules_of_the_key_count_and_those_of_others_do_not(scene: Scene) -> None:
    issued = managing()
    Rule.objects.create(name="a", effect=Effect.DENY, scope=Rule.Scope.KEY, api_key=issued.api_key)
    assert outcome(call(issued)) == (403, "denied_by_rule")
    assert outcome(call(managing("other"))) == MADE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"is_enabled": False}, "function_disabled"), ({"approved_hash": "another"}, "not_approved")],
)
def test_a_tool_that_is_withheld_from_chats_is_not_called(
    scene: Scene, fields: dict[str, Any], reason: str
) -> None:
    type(scene.server).objects.filter(pk=scene.server.pk).update(approval="pinned")
    ToolFunction.objects.filter(name="pay").update(**fields)
    assert outcome(call(managing())) == (409, reason)
    assert calls_on_record() == []
