"""What rules make of calls in the inspector: they forbid and mask, and who may decide need not be asked."""

from typing import Any

import pytest

from apikeys.principal import Limits, Principal
from assistants.models import Approver, Effect, Rule
from connector.admin import inspection
from connector.client.direct_calls import Refused, judged
from core.actor import Actor
from tests.assistants.approvals import scene as scenes
from tests.assistants.approvals.scene import Scene
from tests.console.people import member
from tools.models import ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
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
    sent = judged(ToolFunction.objects.get(name="pay"), GIVEN, caller)
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
