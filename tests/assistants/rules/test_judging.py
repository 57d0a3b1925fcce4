"""What rules make of calls: the first of a scope that matches, the strictest of the scopes."""

import itertools
import random
import threading

import pytest

from assistants.models import Approver, Effect
from assistants.rules import RuleSet, Verdict, stricter
from tests.assistants.rules.calls import WRITE, call, effect, hinting, rule

EFFECTS = ("allow", "mask", "ask", "deny")


def test_no_rule_allows():
    given = {"path": "a"}

    verdict = RuleSet().judge(call(given))

    assert (verdict.effect, verdict.arguments, verdict.rule_id) == (Effect.ALLOW, given, None)
    assert RuleSet([]).is_empty
    assert not RuleSet([rule()]).is_empty


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, True),
        ({"servers": [3, 4]}, True),
        ({"servers": [4]}, False),
        ({"functions": ["files__read", "files__write"]}, True),
        ({"functions": ["files__read"]}, False),
        ({"labels": ["sends_out", "foreign_text"]}, True),
        ({"labels": ["foreign_text"]}, False),
        ({"end_users": ["user-1"]}, True),
        ({"end_users": ["user-2"]}, False),
        ({"servers": [3], "end_users": ["user-2"]}, False),
        ({"expression": "call.arguments.path.startsWith('/etc')"}, True),
        ({"servers": [3], "expression": "call.arguments.path == '/home'"}, False),
        ({"servers": [4], "expression": "call.arguments.missing == 1"}, False),
    ],
)
def test_all_conditions_must_match(when, matches):
    made = call({"path": "/etc/passwd"})

    assert effect(made, rule("deny", when=when)) == (Effect.DENY if matches else Effect.ALLOW)


def test_the_first_rule_that_matches_counts():
    rules = [
        rule("deny", pk=1, when={"servers": [9]}),
        rule("allow", pk=2),
        rule("deny", pk=3),
    ]

    assert RuleSet(rules).judge(call()).effect == Effect.ALLOW
    assert RuleSet(rules[::-1]).judge(call()).rule_id == 3


def test_a_denial_says_which_rule_and_why():
    verdict = RuleSet([rule("deny", pk=5, name="No files", reason="Ask your admin.")]).judge(call())

    assert verdict == Verdict(Effect.DENY, {}, 5, "No files", "Ask your admin.", Approver.STAFF)


@pytest.mark.parametrize(("wide", "narrow"), list(itertools.product(EFFECTS, EFFECTS)))
def test_a_narrower_scope_only_tightens(wide, narrow):
    """Whatever the scopes say: the strictest counts, in whichever order they stand."""
    rules = [[rule(wide, pk=1, mask=["$.a"])], [rule(narrow, pk=2, mask=["$.b"])]]

    both = [RuleSet(*order, []).judge(call({"a": "x"})).effect for order in (rules, rules[::-1])]

    assert both == [max((wide, narrow), key=EFFECTS.index)] * 2


def test_more_rules_in_narrower_scopes_never_loosen():
    """A property, over rules at random."""
    some = random.Random(14)
    conditions = [{}, {"servers": [3]}, {"servers": [9]}, {"expression": "call.arguments.n > 5"}]

    def rules() -> list:
        return [
            rule(
                some.choice(EFFECTS),
                pk=at,
                when=some.choice(conditions),
                mask=["$.n"],
                approver=some.choice(["staff", "caller"]),
            )
            for at in range(some.randrange(4))
        ]

    for _ in range(500):
        made = call({"n": some.randrange(10)})
        wide, narrow, narrowest = rules(), rules(), rules()
        before, after = RuleSet(wide).judge(made), RuleSet(wide, narrow, narrowest).judge(made)
        assert stricter(before, after) in (after, before)
        assert EFFECTS.index(after.effect) >= EFFECTS.index(before.effect)
        if before.effect == after.effect == Effect.ASK and before.approver == Approver.STAFF:
            assert after.approver == Approver.STAFF
        if before.masks and after.effect != Effect.DENY:
            assert set(before.masks) <= set(after.masks)


def test_staff_is_stricter_than_the_caller():
    rules = [rule("ask", pk=1, approver="caller")], [rule("ask", pk=2, approver="staff")]

    for order in (rules, rules[::-1]):
        verdict = RuleSet(*order).judge(call())
        assert (verdict.approver, verdict.rule_id) == (Approver.STAFF, 2)


def test_masks_of_all_scopes_add_up_and_hold_for_what_is_asked():
    rules = (
        [rule("mask", pk=1, mask=["$.a"])],
        [rule("ask", pk=2)],
        [rule("mask", pk=3, mask=["$.b", "$.a"])],
    )
    given = {"a": "1", "b": "2", "c": "3"}

    verdict = RuleSet(*rules).judge(call(given))

    assert (verdict.effect, verdict.rule_id) == (Effect.ASK, 2)
    assert verdict.arguments == {"a": "[masked]", "b": "[masked]", "c": "3"}
    assert given == {"a": "1", "b": "2", "c": "3"}
    own = Verdict(Effect.ASK, given, approver=Approver.CALLER)
    assert stricter(own, RuleSet(rules[0]).judge(call(given))).arguments["a"] == "[masked]"


# --- Hints of servers


HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


@pytest.mark.parametrize(("hint", "default"), list(zip(HINTS, (False, True, False, True), strict=True)))
def test_an_absent_hint_is_the_specifications_default(hint, default):
    for function in (WRITE, hinting(), hinting(is_trusted=True), hinting(**{hint: "yes"})):
        made = call(function=function)
        assert effect(made, rule("deny", when={"annotations": {hint: default}})) == Effect.DENY
        assert effect(made, rule("deny", when={"annotations": {hint: not default}})) == Effect.ALLOW


def test_a_hint_loosens_only_where_staff_have_approved_the_definition():
    rules = [rule("allow", pk=1, when={"annotations": {"readOnlyHint": True}}), rule("deny", pk=2)]

    assert effect(call(function=hinting(readOnlyHint=True)), *rules) == Effect.DENY
    assert effect(call(function=hinting(readOnlyHint=True, is_trusted=True)), *rules) == Effect.ALLOW


def test_a_hint_that_nobody_has_approved_escapes_no_rule_and_tightens():
    asks_writers = rule("ask", when={"annotations": {"readOnlyHint": False}})
    asks_closed = rule("ask", when={"annotations": {"openWorldHint": False}})
    liar = call(function=hinting(readOnlyHint=True, openWorldHint=False))
    honest = call(function=hinting(readOnlyHint=True, openWorldHint=False, is_trusted=True))

    assert effect(liar, asks_writers) == Effect.ASK
    assert effect(liar, asks_closed) == Effect.ASK
    assert effect(honest, asks_writers) == Effect.ALLOW


def test_what_an_unapproved_definition_hints_never_loosens():
    """A property, over all hints and all conditions on one or two of them."""
    for values in itertools.product((None, False, True), repeat=4):
        hints = {name: value for name, value in zip(HINTS, values, strict=True) if value is not None}
        claims, silent = call(function=hinting(**hints)), call(function=hinting())
        for names in itertools.combinations(HINTS, 2):
            for wanted in itertools.product((False, True), repeat=2):
                when = {"annotations": dict(zip(names, wanted, strict=True))}
                for kind, last in itertools.product(EFFECTS, ("ask", "deny")):
                    rules = [rule(kind, pk=1, when=when), rule(last, pk=2)]
                    before, after = effect(silent, *rules), effect(claims, *rules)
                    assert EFFECTS.index(after) >= EFFECTS.index(before)


def test_a_rule_that_matches_by_a_claim_alone_hides_no_stricter_one():
    claimed = rule("ask", pk=1, approver="caller", when={"annotations": {"readOnlyHint": True}})
    others = rule("ask", pk=2, approver="staff")
    liar, honest = (call(function=hinting(readOnlyHint=True, is_trusted=each)) for each in (False, True))

    assert RuleSet([claimed, others]).judge(liar).approver == Approver.STAFF
    assert RuleSet([claimed, others]).judge(honest).approver == Approver.CALLER
    assert RuleSet([claimed]).judge(liar).approver == Approver.CALLER


def test_an_expression_sees_the_hints_that_may_be_believed():
    rules = [rule("deny", when={"expression": "call.annotations.openWorldHint"})]

    assert effect(call(function=hinting(openWorldHint=False)), *rules) == Effect.DENY
    assert effect(call(function=hinting(openWorldHint=False, is_trusted=True)), *rules) == Effect.ALLOW


def test_a_read_only_tool_destroys_nothing():
    reader = hinting(readOnlyHint=True, is_trusted=True)

    assert (
        effect(call(function=reader), rule(when={"annotations": {"destructiveHint": True}})) == Effect.ALLOW
    )


# --- What cannot be judged


def test_a_stored_rule_that_cannot_be_read_denies_and_says_so(caplog):
    verdict = RuleSet([rule("allow", pk=4, when={"servres": [1]})]).judge(call())

    assert (verdict.effect, verdict.rule_id) == (Effect.DENY, 4)
    assert "cannot be read" in verdict.reason
    assert "rule 4" in caplog.text


def test_arguments_that_nest_without_end_are_denied():
    deep: dict = {}
    for _ in range(2_000):
        deep = {"a": deep}

    assert effect(call(deep), rule("mask", mask=["$.a"])) == Effect.DENY


def test_threads_may_share_a_rule_set():
    ruleset = RuleSet([rule("deny", when={"expression": "call.arguments.l.exists(x, x.matches('^9+$'))"})])
    found = []

    def judge() -> None:
        for at in range(300):
            verdict = ruleset.judge(call({"l": [str(at)]}))
            found.append((verdict.effect == Effect.DENY) == (set(str(at)) == {"9"}))

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 1_200
    assert all(found)


def test_a_set_knows_whether_it_reads_what_was_touched():
    assert RuleSet([rule(when={"expression": "'sends_out' in touched"})]).reads_touched
    assert not RuleSet([rule(when={"expression": "end_user == ''"}), rule()]).reads_touched
