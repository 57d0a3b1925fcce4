"""/api/v1/approvals"""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from apikeys.models import AuditEntry
from assistants.approvals import ask
from tests.assistants.approvals.scene import BY, Scene, build, the_row

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/approvals"
COVERED = {"api_key": "••••", "text": "••••", "body": "The key is [masked: github-pat], keep it."}
BODY = f"The key is ghp_{'a1B2c3D4e5F6' * 3}, keep it."
SECRET = "sk-proj-1234567890abcdefGHIJ"


def client(**permissions: bool) -> APIClient:
    issued = key_actions.issue(by=BY, name="-".join(permissions) or "caller", **permissions)
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"})


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return build()


@pytest.fixture
def number(scene: Scene) -> int:
    question = scene.question(
        {"to": "bob", "amount": 3, "note": {"api_key": "abc", "text": SECRET, "body": BODY}}
    )
    return async_to_sync(ask)(question).number


def kind(response: Any) -> str:
    return str(response.json()["error"]["type"])


def test_a_waiting_call_is_shown_with_its_secrets_covered(number: int) -> None:
    [row] = client(can_manage=True).get(f"{URL}?state=waiting").json()
    assert row == {
        "number": number,
        "state": "waiting",
        "approver": "staff",
        "rule": {"id": None, "name": "Payments"},
        "api_key": {"id": the_row().api_key_id, "name": "alice", "key_prefix": row["api_key"]["key_prefix"]},
        "username": "",
        "end_user": "",
        "assistant": {"id": the_row().assistant_id, "slug": "shop"},
        "run_id": "run_1",
        "server": "Bank",
        "function": "pay",
        "arguments": {
            "to": "bob",
            "amount": 3,
            "note": COVERED,
        },
        "edited_arguments": None,
        "reason": "",
        "decided_by": "",
        "decided_at": None,
        "expires_at": row["expires_at"],
        "created_at": row["created_at"],
        "result_expires_at": None,
    }
    assert client(can_approve=True).get(f"{URL}/{number}").json() == row
    assert client(can_manage=True, can_approve=True).get(f"{URL}?state=done").json() == []


def test_who_may_decide_may_reveal_and_that_is_audited(number: int) -> None:
    refused = client(can_manage=True).get(f"{URL}/{number}?reveal=1")
    assert (refused.status_code, kind(refused)) == (403, "may_not_approve")
    assert not AuditEntry.objects.filter(action="revealed").exists()
    shown = client(can_approve=True).get(f"{URL}/{number}?reveal=1").json()
    assert shown["arguments"]["note"] == {"api_key": "abc", "text": SECRET, "body": BODY}
    entry = AuditEntry.objects.get(action="revealed")
    assert (entry.object_id, entry.actor_name) == (number, "can_approve")
    assert client(can_approve=True, can_manage=False).get(f"{URL}/{number}?reveal=perhaps").status_code == 422


def test_an_approval_over_rest_may_change_the_arguments(number: int) -> None:
    deciding = client(can_approve=True)
    unfit = deciding.post(f"{URL}/{number}/approve", {"arguments": {"amount": "many"}}, format="json")
    assert unfit.status_code == 422
    assert set(unfit.json()["error"]["details"]["fields"]) == {"arguments.amount", "arguments.to"}
    assert deciding.post(f"{URL}/{number}/approve", {"argument": {}}, format="json").status_code == 422
    assert deciding.post(f"{URL}/{number}/approve", {"arguments": [1]}, format="json").status_code == 422
    assert the_row().state == "waiting"
    answer = deciding.post(f"{URL}/{number}/approve", {"arguments": {"to": "carol"}}, format="json").json()
    assert (answer["state"], answer["edited_arguments"], answer["decided_by"]) == (
        "approved", {"to": "carol"}, "can_approve",
    )  # fmt: skip
    again = deciding.post(f"{URL}/{number}/reject", {}, format="json")
    assert (again.status_code, kind(again)) == (409, "already_decided")
    assert again.json()["error"]["details"]["decided_by"] == "can_approve"


def test_a_rejection_over_rest_has_a_reason(number: int) -> None:
    answer = client(can_approve=True).post(f"{URL}/{number}/reject", {"reason": "Ask Carol."}, format="json")
    assert (answer.json()["state"], answer.json()["reason"]) == ("rejected", "Ask Carol.")


@pytest.mark.parametrize("reason", ["x" * 1_001, "a\u202eb", "a\0b"])
def test_a_reason_that_cannot_be_told_is_refused(number: int, reason: str) -> None:
    refused = client(can_approve=True).post(f"{URL}/{number}/reject", {"reason": reason}, format="json")
    assert (refused.status_code, list(refused.json()["error"]["details"]["fields"])) == (422, ["reason"])
    assert the_row().state == "waiting"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_key_that_only_manages_decides_nothing(number: int, verb: str) -> None:
    refused = client(can_manage=True).post(f"{URL}/{number}/{verb}", {}, format="json")
    assert (refused.status_code, kind(refused)) == (403, "may_not_approve")
    assert "can_approve" in refused.json()["error"]["message"]
    assert the_row().state == "waiting"


def test_other_keys_see_nothing(number: int) -> None:
    caller = client()
    assert {caller.get(url).status_code for url in (URL, f"{URL}/{number}")} == {403}
    assert APIClient().get(URL).status_code == 401


@pytest.mark.parametrize("unknown", ["999999", "0", "x", "9" * 18])
def test_there_is_no_other_call(number: int, unknown: str) -> None:
    assert client(can_approve=True).get(f"{URL}/{unknown}").status_code == 404


def test_covers_that_are_sent_back_stand_for_what_they_cover(number: int) -> None:
    decider = client(can_approve=True)
    moved = {"to": "bob", "note": {"text": "Pay.", "other": "••••"}}
    assert decider.post(f"{URL}/{number}/approve", {"arguments": moved}, format="json").status_code == 422
    assert the_row().state == "waiting"
    edited = {"to": "bob", "amount": 2, "note": COVERED}
    assert decider.post(f"{URL}/{number}/approve", {"arguments": edited}, format="json").status_code == 200
    kept = {"api_key": "abc", "text": SECRET, "body": BODY}
    assert the_row().sent_arguments == {"to": "bob", "amount": 2, "note": kept}
