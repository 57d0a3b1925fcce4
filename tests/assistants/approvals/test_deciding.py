"""Who decides, when, and what then is so."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey, AuditEntry
from assistants import actions as assistant_actions
from assistants.actions import approval_ends, approvals
from assistants.actions.approval_edits import Denied
from assistants.actions.approval_rights import Forbidden
from assistants.actions.approvals import WrongCode
from assistants.approvals import Ticket, ask
from assistants.models import Approval, ApprovalState, Approver, Effect, Rule
from core.actor import Actor
from core.errors import Conflict
from tests.assistants.approvals.scene import BY, Scene, approver, build, staff, the_row
from tests.console.people import member
from tools import actions as tool_actions
from tools.arguments import InvalidArguments

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return build()


def asked(scene: Scene, arguments: Any = None, **changes: Any) -> Ticket:
    return async_to_sync(ask)(scene.question(arguments, **changes))


def untouched(row: Approval) -> bool:
    """Whether the call waits, as if nobody had tried."""
    now = Approval.objects.get(pk=row.pk)
    audited = AuditEntry.objects.filter(object_kind="approval").exclude(action="asked")
    return (now.state, now.decided_at, now.edited_arguments) == (
        "waiting",
        None,
        None,
    ) and not audited.exists()


def test_an_approval_names_who_and_when(scene: Scene) -> None:
    asked(scene)
    row = approvals.approve(the_row(), by=staff("olga"))
    assert (row.state, row.decided_by, row.decider_kind) == ("approved", "olga", "staff")
    assert row.decided_at is not None
    entry = AuditEntry.objects.get(object_kind="approval", action="approved")
    assert (entry.actor_kind, entry.actor_name, entry.object_id) == ("staff", "olga", row.pk)


def test_of_two_who_decide_at_once_one_wins_and_the_other_learns_who(scene: Scene) -> None:
    asked(scene)
    people, begun = [staff("olga"), staff("ivan")], Barrier(2)

    def decide(by: Actor) -> str:
        row = the_row()
        begun.wait()
        try:
            (approvals.approve if by.name == "olga" else approvals.reject)(row, by=by)
        except Conflict as conflict:
            return str(conflict.detail)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(decide, people))
    [winner] = [by.name for by, text in zip(people, told, strict=True) if not text]
    assert winner in next(text for text in told if text)
    assert the_row().decided_by == winner
    assert AuditEntry.objects.filter(object_kind="approval", action__in=["approved", "rejected"]).count() == 1


@pytest.mark.parametrize("group", ["viewer", "auditor", None])
def test_who_may_only_look_decides_nothing(scene: Scene, group: str | None) -> None:
    asked(scene)
    person = member(group)
    for verb in (approvals.approve, approvals.reject):
        with pytest.raises(Forbidden):
            verb(the_row(), by=Actor("staff", person.username, person.pk))
    assert untouched(the_row())


def disabled_operator() -> Actor:
    by = staff("gone")
    type(member("operator", "gone")).objects.filter(pk=by.id).update(is_active=False)
    return by


def own_key(scene: Scene) -> Actor:
    ApiKey.objects.filter(pk=scene.key.pk).update(can_approve=True)
    return Actor("key", scene.key.name, scene.key.pk)


def minted(scene: Scene) -> Actor:
    """A key that the asking one has made."""
    key = key_actions.issue(by=Actor("key", "alice", scene.key.pk), name="minted").api_key
    key_actions.update(key, by=Actor.system("tests"), can_approve=True)
    return Actor("key", key.name, key.pk)


def rotated(scene: Scene) -> Actor:
    """A key that the asking one has rotated, before it was let approve."""
    key = key_actions.issue(by=Actor.system("tests"), name="rotated").api_key
    key_actions.rotate(key, by=Actor("key", "alice", scene.key.pk), grace=timedelta())
    key_actions.update(key, by=Actor.system("tests"), can_approve=True)
    return Actor("key", key.name, key.pk)


def minting(scene: Scene) -> Actor:
    """A key that has made the one that has given the asking one a new secret."""
    by = approver("minting")
    between = key_actions.issue(by=by, name="between").api_key
    key_actions.rotate(scene.key, by=Actor("key", "between", between.pk), grace=timedelta())
    return by


def expired_key(_: Scene) -> Actor:
    by = approver("old")
    ApiKey.objects.filter(pk=by.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    return by


@pytest.mark.parametrize(
    "by",
    [
        own_key, minted, rotated, minting, expired_key, lambda _: disabled_operator(),
        lambda _: Actor("key", "manager", key_actions.issue(by=BY, name="m", can_manage=True).api_key.pk),
        lambda _: Actor.system("a script"),
    ],
)  # fmt: skip
def test_who_may_not_decide_changes_nothing(scene: Scene, by: Callable[[Scene], Actor]) -> None:
    asked(scene)
    decider = by(scene)
    for verb in (approvals.approve, approvals.reject):
        with pytest.raises(Forbidden):
            verb(the_row(), by=decider)
    assert untouched(the_row())


def test_an_unrelated_key_that_may_approve_decides(scene: Scene) -> None:
    asked(scene)
    assert approvals.approve(the_row(), by=approver()).decider_kind == "key"


def test_an_edit_replaces_the_arguments_and_must_fit(scene: Scene) -> None:
    asked(scene, {"to": "bob", "amount": 100})
    with pytest.raises(InvalidArguments):
        approvals.approve(the_row(), by=staff(), arguments={"amount": 5})
    with pytest.raises(InvalidArguments):
        approvals.approve(the_row(), by=staff(), arguments={"to": "bob", "amount": "a lot"})
    assert untouched(the_row())
    row = approvals.approve(the_row(), by=staff(), arguments={"to": "bob", "amount": 5})
    assert (row.arguments["amount"], the_row().sent_arguments) == (100, {"to": "bob", "amount": 5})
    entry = AuditEntry.objects.get(object_kind="approval", action="approved")
    assert entry.after["edited"] is True
    assert "bob" not in str(entry.after)


def test_rules_are_asked_about_an_edit(scene: Scene) -> None:
    expressions = {"mallory": Effect.DENY, "eve": Effect.MASK}
    for position, (name, effect) in enumerate(expressions.items()):
        Rule.objects.create(
            name=f"No {name}", effect=effect, position=position, mask=["$.amount"], reason="She is known.",
            conditions={"expression": f"call.arguments.to == '{name}'"},
        )  # fmt: skip
    Rule.objects.create(name="Payments", effect=Effect.ASK, scope="assistant", assistant=scene.assistant)
    asked(scene)
    with pytest.raises(Denied) as denied:
        approvals.approve(the_row(), by=staff(), arguments={"to": "mallory"})
    assert "No mallory" in str(denied.value.detail)
    assert untouched(the_row())
    # A rule that asks, too, does not ask once more; one that masks does mask.
    row = approvals.approve(the_row(), by=staff(), arguments={"to": "eve", "amount": 7})
    assert row.edited_arguments["to"] == "eve"
    assert row.edited_arguments["amount"] != 7


def disable_key(scene: Scene) -> None:
    key_actions.disable(scene.key, by=BY)


def delete_key(scene: Scene) -> None:
    key_actions.delete(scene.key, by=BY)


def disable_assistant(scene: Scene) -> None:
    assistant_actions.update(scene.assistant, by=BY, is_enabled=False)


def take_grant(scene: Scene) -> None:
    scene.assistant.api_keys.clear()


@pytest.mark.parametrize("end", [disable_key, delete_key, disable_assistant, take_grant])
def test_nothing_is_approved_for_who_is_gone(scene: Scene, end: Callable[[Scene], None]) -> None:
    asked(scene)
    end(scene)
    with pytest.raises(Conflict):
        approvals.approve(the_row(), by=staff())
    assert untouched(the_row())
    assert approval_ends.cancel_orphans() == 1
    row = the_row()
    assert (row.state, bool(row.reason)) == (ApprovalState.CANCELLED, True)
    with pytest.raises(Conflict):
        approvals.approve(row, by=staff())


def test_waiting_calls_stay_while_their_askers_do(scene: Scene) -> None:
    asked(scene)
    assert approval_ends.cancel_orphans() == 0
    assert untouched(the_row())


def test_an_expired_call_is_not_decided_about(scene: Scene) -> None:
    asked(scene)
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for verb in (approvals.approve, approvals.reject):
        with pytest.raises(Conflict) as conflict:
            verb(the_row(), by=staff())
        assert conflict.value.get_codes() == "expired"
    assert untouched(the_row())


def test_a_stopped_server_keeps_no_edit(scene: Scene) -> None:
    asked(scene)
    tool_actions.stop(scene.server, by=BY)
    with pytest.raises(Conflict):
        approvals.approve(the_row(), by=staff(), arguments={"to": "carol"})
    assert untouched(the_row())


# --- by the caller ---


def by_caller(scene: Scene) -> Actor:
    return Actor("key", "alice", scene.key.pk)


def test_a_caller_decides_by_its_code_once(scene: Scene) -> None:
    ticket = asked(scene, approver=Approver.CALLER)
    row = approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=True, code=ticket.code)
    assert (row.state, row.decider_kind, the_row().code_hash) == ("approved", "caller", "")
    with pytest.raises(Conflict):
        approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=False, code=ticket.code)
    assert the_row().state == "approved"


def test_after_five_wrong_codes_only_staff_decide(scene: Scene) -> None:
    ticket = asked(scene, approver=Approver.CALLER)
    tries = []
    for _ in range(5):
        with pytest.raises(WrongCode) as wrong:
            approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=True, code="apc-aaaaaaaaaaaa")
        tries.append(wrong.value.may_try_again)
    assert tries == [True, True, True, True, False]
    with pytest.raises(Conflict):
        approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=True, code=ticket.code)
    assert (the_row().approver, the_row().state) == (Approver.STAFF, "waiting")
    approvals.approve(the_row(), by=staff())


def test_a_caller_does_not_decide_what_staff_must(scene: Scene) -> None:
    asked(scene)
    with pytest.raises(Conflict) as conflict:
        approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=True)
    assert conflict.value.get_codes() == "staff_decides"
    assert untouched(the_row())


def test_staff_may_decide_for_a_caller(scene: Scene) -> None:
    asked(scene, approver=Approver.CALLER)
    for reason in ("no\0", "n\u202eo", "x" * 1_001):
        with pytest.raises(ValidationError) as refused:
            approvals.reject(the_row(), by=staff(), reason=reason)
        assert list(refused.value.message_dict) == ["reason"]
    assert approvals.reject(the_row(), by=staff(), reason=" no\nnever ").reason == "no\nnever"


def test_a_callers_decision_does_not_fail_by_its_reason(scene: Scene) -> None:
    asked(scene, approver=Approver.CALLER)
    said = "n\u202eo\0" + "x" * 1_000
    approvals.decide_by_caller(the_row(), by=by_caller(scene), approves=False, reason=said)
    assert (the_row().state, the_row().reason) == ("rejected", "no" + "x" * 998)
