"""The pages of approvals: what they show to whom, and the decisions that are made there."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from apikeys.models import AuditEntry
from assistants.actions import approvals
from assistants.approvals import ask
from assistants.console.approval_edit import EditForm
from assistants.models import Approval, ApprovalState
from tests.assistants.approvals import scene as scenes
from tests.assistants.approvals.scene import Scene
from tests.console.pages import messages_of
from tests.console.people import client_of, member
from tests.queries import assert_same_queries

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "sk-aBcD1234efGh5678ijKl"


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return scenes.build()


def waiting(scene: Scene, **changes: Any) -> Approval:
    ticket = async_to_sync(ask)(scene.question(**changes))
    return Approval.objects.get(pk=ticket.number)


def page(approval: Approval) -> str:
    return f"/admin/assistants/approval/{approval.pk}/"


def decide(client: Client, approval: Approval, do: str, **fields: str) -> Any:
    return client.post(page(approval), {"do": do, **fields}, follow=True)


def test_the_page_says_who_asks_for_what_and_why(scene: Scene) -> None:
    approval = waiting(scene, arguments={"to": "bob", "amount": 7}, end_user="customer-9")
    shown = client_of("operator").get(page(approval)).content.decode()
    for text in ("Bank", "pay", "alice", "customer-9", "Payments", "&quot;amount&quot;: 7", "Approve with"):
        assert text in shown


def test_the_list_leads_to_it_and_is_filtered(scene: Scene) -> None:
    approval = waiting(scene)
    client = client_of("viewer")
    address = "/admin/assistants/approval/"
    assert "Bank · pay" in client.get(f"{address}?state__exact=waiting").content.decode()
    assert "Bank · pay" not in client.get(f"{address}?state__exact=done").content.decode()
    assert "Bank · pay" in client.get(f"{address}?q={approval.pk}").content.decode()
    assert client.get(f"{page(approval)}change/").headers["Location"] == page(approval)


@pytest.mark.parametrize(
    ("group", "may_decide"), [("viewer", False), ("auditor", False), ("operator", True), ("manager", True)]
)
def test_operators_and_managers_decide_and_others_read(scene: Scene, group: str, may_decide: bool) -> None:
    approval = waiting(scene)
    client = client_of(group)
    assert ("Approve with changes" in client.get(page(approval)).content.decode()) == may_decide
    for do in ("approve", "edit", "reject", "reveal"):
        client.post(page(approval), {"do": do, "arguments": '{"to": "eve"}'})
        client.post(f"{page(approval)}decide/", {"do": do})
    approval.refresh_from_db()
    assert (approval.state == ApprovalState.WAITING) != may_decide
    assert AuditEntry.objects.filter(action="revealed").exists() == may_decide


def test_it_is_approved(scene: Scene) -> None:
    approval = waiting(scene)
    told = decide(client_of("operator"), approval, "approve")
    assert "Approved: the tool is called now." in messages_of(told)
    approval.refresh_from_db()
    assert (approval.state, approval.decided_by) == (ApprovalState.APPROVED, "operator")
    assert "Your decision" not in told.content.decode()


def test_it_is_rejected_with_a_reason(scene: Scene) -> None:
    approval = waiting(scene)
    told = decide(client_of("operator"), approval, "reject", reason="Paid <b>already</b>")
    assert "Paid &lt;b&gt;already&lt;/b&gt;" in told.content.decode()
    approval.refresh_from_db()
    assert (approval.state, approval.reason) == (ApprovalState.REJECTED, "Paid <b>already</b>")


@pytest.mark.parametrize(
    ("reason", "problem"), [("x" * 1_001, "At most 1,000 characters"), ("a\u202eb", "reorder text")]
)
def test_a_reason_that_cannot_be_told_is_refused_at_the_field(
    scene: Scene, reason: str, problem: str
) -> None:
    approval, client = waiting(scene), client_of("operator")
    shown = client.post(page(approval), {"do": "reject", "reason": reason})
    assert (shown.status_code, shown.context["reason"]) == (200, reason)
    assert problem in shown.context["reason_problem"]
    assert problem in shown.content.decode()
    answer = client.post(f"{page(approval)}decide/", {"do": "reject", "reason": reason})
    assert (answer.status_code, problem in answer.json()["message"]) == (422, True)
    approval.refresh_from_db()
    assert approval.state == ApprovalState.WAITING


def test_the_second_to_decide_is_told_who_was_first(scene: Scene) -> None:
    approval = waiting(scene)
    first, second = Client(), client_of("operator")
    first.force_login(member("manager", "mona"))
    decide(first, approval, "reject")
    told = messages_of(decide(second, approval, "approve"))
    assert "mona has decided already" in told
    answer = second.post(f"{page(approval)}decide/", {"do": "approve"})
    assert (answer.status_code, "mona has decided already" in answer.json()["message"]) == (409, True)
    approval.refresh_from_db()
    assert approval.state == ApprovalState.REJECTED


# --- changes ---


def test_it_is_approved_with_changes(scene: Scene) -> None:
    approval = waiting(scene)
    told = decide(client_of("operator"), approval, "edit", arguments='{"to": "carol", "amount": 3}')
    assert "Called with these arguments instead" in told.content.decode()
    approval.refresh_from_db()
    assert approval.edited_arguments == {"to": "carol", "amount": 3}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("{", "Enter valid JSON"),
        ("[1]", "Write a JSON object"),
        ("", "This field is required"),
        ('{"amount": 1}', "arguments.to: is required"),
        ('{"to": "bob", "amount": "<b>many</b>"}', "arguments.amount"),
        ('{"to": "bob", "a": NaN}', "Enter valid JSON"),
    ],
)
def test_changes_that_do_not_fit_are_told_at_the_field(scene: Scene, sent: str, problem: str) -> None:
    approval = waiting(scene)
    told = client_of("operator").post(page(approval), {"do": "edit", "arguments": sent})
    assert told.status_code == 200
    [errors] = told.context["edit"].errors.values()
    assert problem in " ".join(errors)
    content = told.content.decode()
    assert "<b>many" not in content
    assert 'aria-invalid="true"' in content
    approval.refresh_from_db()
    assert approval.state == ApprovalState.WAITING


def test_all_arguments_can_be_taken_away() -> None:
    assert EditForm({"arguments": "{}"}).is_valid()
    assert EditForm({"arguments": "[]"}).errors["arguments"] == ["Write a JSON object: { … }"]


# --- secrets ---


def test_secrets_are_covered_until_somebody_who_decides_reveals_them(scene: Scene) -> None:
    approval = waiting(scene, arguments={"to": TOKEN})
    operator = client_of("operator")
    for client in (operator, client_of("viewer")):
        assert TOKEN not in client.get(page(approval)).content.decode()
    shown = operator.post(page(approval), {"do": "reveal"})
    assert TOKEN in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert AuditEntry.objects.get(action="revealed").object_id == approval.pk
    assert TOKEN not in operator.get(page(approval)).content.decode()


def test_a_covered_value_that_is_left_as_it_is_is_sent_itself(scene: Scene) -> None:
    approval = waiting(scene, arguments={"to": TOKEN})
    decide(client_of("operator"), approval, "edit", arguments='{"to": "••••", "amount": 2}')
    approval.refresh_from_db()
    assert approval.sent_arguments == {"to": TOKEN, "amount": 2}


def test_a_cover_that_was_moved_is_refused(scene: Scene) -> None:
    approval = waiting(scene, arguments={"to": "bob"})
    told = client_of("operator").post(page(approval), {"do": "edit", "arguments": '{"to": ["••••"]}'})
    assert "was moved" in str(told.context["edit"].errors)


def test_text_that_hides_is_escaped_where_it_is_edited(scene: Scene) -> None:
    approval = waiting(scene, arguments={"to": "a\u202eb"})
    shown = client_of("operator").get(page(approval))
    assert "\u202e" not in shown.content.decode()
    assert json.loads(shown.context["edit"].shown) == {"to": "a\u202eb"}


# --- what became of it ---


def test_the_result_is_for_those_who_may_read_texts(scene: Scene) -> None:
    approval = waiting(scene)
    approvals.approve(approval, by=scenes.staff())
    result = {"result": {"content": [{"type": "text", "text": "<i>paid</i>"}, {"type": "image"}]}}
    Approval.objects.filter(pk=approval.pk).update(state=ApprovalState.DONE)
    row = Approval.objects.get(pk=approval.pk)
    row.result = result
    row.save(update_fields=["result"])
    seen = client_of("manager").get(page(approval)).content.decode()
    assert "&lt;i&gt;paid&lt;/i&gt;\n[image]" in seen
    unseen = client_of("operator").get(page(approval)).content.decode()
    assert "paid" not in unseen
    assert "auditors and managers" in unseen


def test_what_moves_is_a_part_of_its_own(scene: Scene) -> None:
    approval = waiting(scene)
    client = client_of("viewer")
    part = client.get(f"{page(approval)}state/")
    assert "data-decided" not in part.content.decode()
    changes = client.get(part.headers["X-Changes"])
    assert changes.status_code == 200
    approvals.reject(approval, by=scenes.staff())
    assert "data-decided" in client.get(f"{page(approval)}state/").content.decode()
    assert client.get("/admin/approvals/changes").status_code == 404
    assert client.get("/admin/approvals/changes?of=forged").status_code == 404


# --- Needs you ---


def test_calls_that_wait_for_staff_need_somebody(scene: Scene) -> None:
    approval = waiting(scene, end_user="customer-9")
    waiting(scene, arguments={"to": "caller"}, approver="caller")
    client = client_of("operator")
    shown: Any = client.get("/admin/needs-you/")
    [item] = shown.context["waiting"]["items"]
    assert (item.title, item.url) == ("Bank · pay", page(approval))
    assert "customer-9" in item.text
    part = client.get("/admin/needs-you/calls/").content.decode()
    assert 'data-badge="1"' in part
    assert "Bank · pay" in part
    decide(client, approval, "reject")
    part = client.get("/admin/needs-you/calls/").content.decode()
    assert 'data-badge=""' in part
    assert "Bank" not in part


def test_its_queries_do_not_grow(scene: Scene) -> None:
    client = client_of("operator")
    waiting(scene)

    def request() -> None:
        assert client.get("/admin/needs-you/").status_code == 200

    assert_same_queries(request, after=lambda: [waiting(scene, arguments={"to": name}) for name in "abcd"])
