"""What rules make of calls in the inspector: they forbid and mask, and who may decide need not be asked."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync

from apikeys.principal import Limits, Principal
from assistants import filtering
from assistants.catalogue import masking
from assistants.filtering import FilterRefused, results
from assistants.models import Approver, Assistant, Effect, Rule
from connector.admin import inspection
from connector.client import direct_calls
from connector.client.direct_calls import Refused, admitted
from connector.wire.results import CallResult
from core.actor import Actor
from tests.assistants.approvals import scene as scenes
from tests.assistants.approvals.scene import Scene
from tests.console.people import member
from tools.models import ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "ghp_q8Zr2LmT5vXw9BnK3cJd7FhG1sPyA4eUoI6x"
GIVEN = {"to": "bob", "amount": 5}


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return scenes.build()


def somebody(group: str | None = "operator") -> Actor:
    person = member(group)
    return Actor("staff", person.username, person.pk)


def call(scene: Scene, by: Actor) -> Any:
    pay = ToolFunction.objects.get(server=scene.server, name="pay")
    return inspection.call_tool(scene.server, pay.pk, dict(GIVEN), by=by, confirmed=True)


def rule(effect: Effect, **fields: Any) -> None:
    Rule.objects.create(name="Payments", effect=effect, **fields)


def test_without_rules_the_call_is_made(scene: Scene) -> None:
    assert call(scene, somebody()).failure  # no server runs


def test_a_rule_that_forbids_the_call_is_named(scene: Scene) -> None:
    rule(Effect.DENY, reason="Nobody is paid by hand.")
    with pytest.raises(Refused, match=r"“Payments” forbids this call: Nobody is paid by hand\."):
        call(scene, somebody())


def test_masks_apply_to_staff_too(scene: Scene) -> None:
    rule(Effect.MASK, mask=["$.to"])
    person = somebody()
    caller = Principal.of_user(person.id or 0, person.name, inspection.PERMISSION, Limits())
    sent = admitted(scene.server, ToolFunction.objects.get(name="pay"), GIVEN, caller).arguments
    assert sent["amount"] == 5
    assert sent["to"] != "bob"


@pytest.mark.parametrize("approver", Approver)
def test_who_may_decide_has_decided_by_calling(scene: Scene, approver: Approver) -> None:
    rule(Effect.ASK, approver=approver)
    assert call(scene, somebody()).failure
    with pytest.raises(Refused, match=r"“Payments” wants somebody to agree"):
        call(scene, somebody("viewer"))


def test_rules_of_assistants_and_keys_do_not_concern_the_inspector(scene: Scene) -> None:
    rule(Effect.DENY, scope=Rule.Scope.ASSISTANT, assistant=scene.assistant)
    assert call(scene, somebody()).failure


@pytest.mark.parametrize("masks", [True, False])
def test_secrets_are_masked_where_any_assistant_of_the_server_masks_them(scene: Scene, masks: bool) -> None:
    Assistant.objects.update(masks_secrets=masks)
    masking._masked.clear()
    person = somebody()
    caller = Principal.of_user(person.id or 0, person.name, inspection.PERMISSION, Limits())
    call = admitted(scene.server, ToolFunction.objects.get(name="pay"), GIVEN, caller)
    block = {"type": "text", "text": SECRET}
    seen = block | {"text": "[masked: github-pat]"} if masks else block
    released: Any = async_to_sync(call.released)
    assert released(CallResult([block], None)).content == [seen]
    contents = [{"uri": "memo://today", "text": SECRET}]
    read: Any = async_to_sync(direct_calls.guard().released)
    assert read(scene.server.pk, {"contents": contents})["contents"][0]["text"] == seen["text"]


def test_the_filter_is_asked_about_the_call_and_its_result(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(Effect.DENY, conditions={"expression": "call.arguments.to == 'eve'"}, reason="Not her.")
    answers: list[Any] = []

    async def filtered(*_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(filtering, "filter_call", filtered)
    monkeypatch.setattr(results, "filter_result", filtered)
    person = somebody()
    caller = Principal.of_user(person.id or 0, person.name, inspection.PERMISSION, Limits())
    pay = ToolFunction.objects.get(name="pay")
    answers += [FilterRefused("No payments today.")]
    with pytest.raises(Refused, match=r"No payments today\.") as refused:
        admitted(scene.server, pay, GIVEN, caller)
    assert refused.value.code == "denied_by_filter"
    answers += [{"to": "eve"}]
    with pytest.raises(Refused, match=r"“Payments” forbids this call: Not her\."):  # the rules' last word
        admitted(scene.server, pay, GIVEN, caller)
    answers += [{"to": "ann"}, {"content": [{"type": "text", "text": "Paid."}]}]
    call = admitted(scene.server, pay, GIVEN, caller)
    assert call.arguments == {"to": "ann"}
    released: Any = async_to_sync(call.released)
    assert released(CallResult([], None)).content == [{"type": "text", "text": "Paid."}]
