"""The verbs of rules beyond what the API shows: order, copies, bounds, the rule that is shipped."""

from dataclasses import replace
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection

from apikeys.models import AuditEntry
from assistants import actions, rules
from assistants.actions import rules as verbs
from assistants.models import Effect, Rule
from core.actor import Actor
from core.errors import Conflict
from tests.assistants.rules.calls import WRITE, call

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
SHIPPED = import_module("assistants.migrations.0028_shipped_rule")


@pytest.fixture(autouse=True)
def _without_shipped_rule() -> None:
    Rule.objects.all().delete()


def test_rules_are_put_in_order_and_each_move_is_on_record():
    one, two, three = (actions.add_rule(by=BY, name=name, effect="deny") for name in ("one", "two", "three"))

    actions.reorder_rules([three.pk, one.pk, two.pk], by=BY)

    assert list(Rule.objects.values_list("name", flat=True)) == ["three", "one", "two"]
    assert AuditEntry.objects.filter(action="updated", object_kind="rule").count() == 3
    actions.reorder_rules([three.pk, one.pk, two.pk], by=BY)
    assert AuditEntry.objects.filter(action="updated", object_kind="rule").count() == 3


@pytest.mark.parametrize("chosen", [[], [0], [0, 0, 1], [0, 1, 2, 3], [0, 1, 99]])
def test_an_order_of_other_rules_than_those_of_a_scope_changes_nothing(chosen):
    helper = actions.create(by=BY, name="Helper")
    made = [actions.add_rule(by=BY, name=name, effect="deny") for name in ("one", "two", "three")]
    made.append(actions.add_rule(by=BY, name="four", effect="deny", scope="assistant", assistant=helper))
    before = list(Rule.objects.values_list("pk", "position"))

    if chosen:
        with pytest.raises(Conflict):
            actions.reorder_rules([made[at].pk if at < 4 else 10**9 for at in chosen], by=BY)
    else:
        actions.reorder_rules([], by=BY)

    assert list(Rule.objects.values_list("pk", "position")) == before


def test_a_scope_holds_so_many_rules(monkeypatch):
    monkeypatch.setattr(verbs, "MOST_RULES", 2)
    for name in ("one", "two"):
        actions.add_rule(by=BY, name=name, effect="deny")

    with pytest.raises(Conflict) as refused:
        actions.add_rule(by=BY, name="three", effect="deny")

    assert refused.value.get_codes() == "too_many_rules"
    helper = actions.create(by=BY, name="Helper")
    actions.add_rule(by=BY, name="four", effect="deny", scope="assistant", assistant=helper)


def test_a_copy_of_an_assistant_has_its_rules():
    helper = actions.create(by=BY, name="Helper")
    actions.add_rule(by=BY, name="No", effect="deny", scope="assistant", assistant=helper, reason="No.")

    copies = [actions.duplicate(helper, by=BY) for _ in range(2)]

    for copy in copies:
        assert rules.of_sync(copy.pk, 0).judge(call()).effect == Effect.DENY
    assert AuditEntry.objects.filter(action="created", object_kind="rule").count() == 3


def test_conditions_that_stay_are_not_checked_again():
    rule = actions.add_rule(by=BY, name="No", effect="deny")
    Rule.objects.filter(pk=rule.pk).update(conditions={"servers": [999]})

    actions.update_rule(rule, by=BY, is_enabled=False)
    with pytest.raises(ValidationError) as refused:
        actions.update_rule(rule, by=BY, conditions={"servers": [998]})

    assert refused.value.message_dict.keys() == {"conditions.servers"}


def test_the_shipped_rule_asks_where_private_data_could_leave_with_foreign_words():
    SHIPPED.ship(apps, connection.schema_editor())
    rule = Rule.objects.get()
    touched = {"foreign_text", "reads_private"}

    assert actions.add_rule(by=BY, name="Added", effect="allow", is_enabled=False).position < rule.position
    assert (rule.is_enabled, rule.effect, rule.approver) == (False, "ask", "staff")
    assert rules.of_sync(None, 0).is_empty
    assert not (rules.of_sync(None, 0)).reads_touched
    actions.update_rule(rule, by=BY, is_enabled=True)
    ruleset = rules.of_sync(None, 0)
    assert ruleset.reads_touched
    assert ruleset.judge(call(touched=touched)).effect == Effect.ASK
    for less in ({"foreign_text"}, {"reads_private"}, set()):
        assert ruleset.judge(call(touched=less)).effect == Effect.ALLOW
    reader = replace(WRITE, labels=frozenset({"foreign_text"}))
    assert ruleset.judge(call(function=reader, touched=touched)).effect == Effect.ALLOW


def test_the_shipped_rule_leaves_a_rule_of_that_name_alone():
    actions.add_rule(by=BY, name=SHIPPED.NAME, effect="deny")

    SHIPPED.ship(apps, connection.schema_editor())

    assert Rule.objects.get().effect == "deny"
