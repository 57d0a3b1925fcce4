"""Expressions in CEL: what they see, which are refused, and what cannot be evaluated."""

import pytest

from assistants.models import Effect
from assistants.rules import Conditions, InvalidConditions
from tests.assistants.rules.calls import call, effect, rule, says

GIVEN = {
    "path": "/etc/passwd", "n": 3, "ratio": 0.5, "deep": {"x": [1, {"y": "z"}]}, "l": [1, 2], "flag": True,
    "none": None, "to": ["a@example.com", "b@evil.test"],
}  # fmt: skip


@pytest.mark.parametrize(
    "expression",
    [
        "call.server == 'files'",
        "call.function == 'files__write'",
        "call . arguments . n == 3",
        "call.arguments['n'] == 3 && call.arguments.ratio < 1.0",
        "call.arguments.deep.x[1].y == 'z'",
        "'n' in call.arguments && !('m' in call.arguments)",
        "has(call.arguments.n) && !has(call.arguments.m)",
        "size(call.arguments.l) == 2 && call.arguments.l.size() == 2",
        "call.annotations.destructiveHint && !call.annotations.readOnlyHint",
        "'sends_out' in call.labels",
        "key.name == 'alice' && key.prefix == 'mcpc_alice'",
        "assistant.slug == 'helper'",
        "end_user == 'user-1'",
        "'foreign_text' in touched && !('reads_private' in touched)",
        "call.arguments.path.matches('^/etc/[a-z]+$')",
        "call.arguments.path.matches(r'^/etc/\\w+$')",
        "call.arguments.to.exists(a, !a.endsWith('@example.com'))",
        "call.arguments.to.exists(a, a.matches('@evil[.]test$')) // call.nothing",
        "call.arguments.l.filter(x, x > 1).map(x, x * 2) == [4]",
        "call.arguments.l.exists(x, x == 2) && call.arguments.l.all(x, x > 0)",
        "call.arguments.none == null && call.arguments.flag",
        "call.arguments.path == '/etc/passwd' || call.arguments.missing",
        "'call.nope is a text' != \"it's\" && '''call.x''' != r'\\'",
        "call.arguments.n == 3 ? true : false",
        "timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
    ],
)
def test_an_expression_sees_the_call(expression):
    assert says(expression, call(GIVEN, touched={"foreign_text"})) == Effect.ASK


@pytest.mark.parametrize(
    "expression",
    [
        "call.arguments.n == 4",
        "call.arguments.path.matches('^etc')",
        "end_user == 'call.end_user'",
        "call.arguments.l.exists(x, x > 2)",
    ],
)
def test_an_expression_that_does_not_hold_matches_nothing(expression):
    assert says(expression, call(GIVEN)) == Effect.ALLOW


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("call.arguments.missing == 1", "missing"),
        ("call.arguments.deep.x[7] == 1", ""),
        ("call.arguments.path > 1", "No such overload"),
        ("call.arguments.n / 0 == 1", "division by zero"),
        ("call.arguments.n + 9223372036854775807 > 1", "overflow"),
        ("call.arguments.n", "of type int"),
        ("call.arguments.path", "of type str"),
        ("call.arguments.none", "of type NoneType"),
        ("call.arguments.n.matches('3')", "only a text"),
        ("call.arguments.l.exists(x, x.y == 1)", ""),
        ("timestamp(call.arguments.path) == timestamp('2026-01-01T00:00:00Z')", ""),
        ("int(call.arguments.path) == 1", ""),
    ],
)
def test_what_cannot_be_evaluated_is_denied_by_the_rule(expression, told):
    verdicts = [
        rules.judge(call(GIVEN))
        for rules in (
            _set(rule(kind, pk=6, name="Mine", when={"expression": expression})) for kind in ("allow", "ask")
        )
    ]

    for verdict in verdicts:
        assert (verdict.effect, verdict.rule_id, verdict.rule_name) == (Effect.DENY, 6, "Mine")
        assert "cannot judge the call" in verdict.reason
        assert told in verdict.reason


def _set(*rules):
    from assistants.rules import RuleSet

    return RuleSet(rules)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"text": "x" * 70_000}, "65,536 bytes"),
        ({"text": "é" * 40_000}, "65,536 bytes"),
        ({"l": [0] * 1_001}, "1,000 items"),
        ({"a": [{"b": {"c": [0] * 1_001}}]}, "1,000 items"),
        ({"text": "\ud800"}, "JSON"),
        ({"n": 2**70}, "JSON"),
    ],
)
def test_arguments_that_are_too_large_are_denied_where_an_expression_reads_them(arguments, told):
    reads = rule("allow", when={"expression": "size(call.arguments) > 0"})
    elsewhere = rule("deny", when={"servers": [9], "expression": "size(call.arguments) > 0"})
    made = call(arguments)

    verdict = _set(reads).judge(made)

    assert verdict.effect == Effect.DENY
    assert told in verdict.reason
    assert effect(made, elsewhere) == Effect.ALLOW
    assert effect(made, rule("deny", when={"expression": "end_user == 'nobody'"}), elsewhere) == Effect.ALLOW
    assert effect(made, rule("allow")) == Effect.ALLOW


@pytest.mark.parametrize("arguments", [{"t": "x" * 65_000}, {"l": [0] * 1_000}, {"l": [[0] * 1_000] * 5}])
def test_arguments_at_the_limit_are_judged(arguments):
    assert says("size(call.arguments) == 1", call(arguments)) == Effect.ASK


NESTED = "must not stand within another one"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("1 +", "Line 1, column 4"),
        ("call.arguments.\n.x", "Line 2"),
        ("(" * 2_000, "Line 1"),
        ("(" * 200 + "true" + ")" * 200, "Line 1, column 97: Recursion limit of 96 exceeded"),
        ("true && 'x" + "x" * 4_096 + "' == ''", "4,096 bytes"),
        ("'" + "é" * 2_100 + "' == ''", "4,096 bytes"),
        ("\ud800", "no expression"),
        ("call.arguments.l.map(x, call.arguments.l.map(y, y)) == []", NESTED),
        ("call.arguments.l.exists(x, x.all(y, y > 1))", NESTED),
        ("call.arguments.l.filter(x, ([x].exists_one (y, true)))", NESTED),
        ("call.arguments.l.map(x, {'a': [x.existsOne(y, true)]})", NESTED),
        ("call.arguments.l.map(x, x /* no comment */", "Line 1"),
        ("call.arguments.l" + ".map(x, x)" * 6 + " == []", "At most 5 comprehensions"),
        ("call.arguments.s" + " + 'a'" * 21 + " == ''", "At most 20 additions"),
        ("call.arguments.l.map(x, x + 'a') == []", "addition must not stand within a comprehension"),
        ("call.arguments.l.exists(x, size([x + 'a']) > 1)", "addition must not stand within"),
        ("call.arguments.s.matches(call.server)", "constant text"),
        ("call.arguments.s.matches('a' + 'b')", "constant text"),
        ("call.arguments.s.matches(('a'))", "constant text"),
        ("call.arguments.s.matches()", "constant text"),
        ("call.arguments.s.matches(b'a')", "not bytes"),
        ("call.arguments.s.matches('[')", "broken or too large"),
        ("call.arguments.s.matches('(?=a)')", "broken or too large"),
        (r"call.arguments.s.matches('\\w{95}(\\w{5}){5}')", "repetitions"),
        (r"call.arguments.s.matches('((\\w{20}){20}){20}')", "broken or too large"),
        ("call.arguments.s.matches('" + "a" * 501 + "')", "500 characters"),
        ("matches(call.arguments.s, 'a')", "text.matches"),
        ("call.arguments.s.matched('a')", "no function `matched`"),
        ("nothing(1)", "no function `nothing`"),
        ("'a'.lowerAscii() == 'a'", "no function `lowerAscii`"),
        ("call.arguments.l.all(i, v, v > 0)", "no function `all`"),
        ("cel.bind(x, 1, x == 1)", "no function `bind`"),
        ("who == 'me'", "`who` is not known"),
        ("call_arguments.x == 1", "`call_arguments` is not known"),
        ("x == 1 && call.arguments.l.exists(x, x == 1)", "`x` is not known"),
        ("call.arguments.l.exists(x, x == 1) && x == 1", "`x` is not known"),
        ("call.argments.x == 1", "Of `call` there is call.server"),
        ("call['arguments'].x == 1", "Of `call` there is"),
        ("call == 1", "Of `call` there is"),
        (".call.arguments.x == 1", "`.call` is not known"),
        ("key.hash == ''", "Of `key` there is key.name"),
        ("call.arguments.l.exists(call, call.arguments.x == 1)", "cannot be the variable"),
        ("has(call.arguments)", "always there"),
        ("call.server('x')", "no function `server`"),
        ("", "leave the condition out"),
        (" \n", "leave the condition out"),
        (5, "a text"),
        (None, "a text"),
    ],
)
def test_what_no_rule_may_have_is_refused_when_it_is_saved(expression, told):
    with pytest.raises(InvalidConditions) as refused:
        Conditions.read({"expression": expression})

    assert refused.value.errors.keys() == {"expression"}
    assert told in refused.value.errors["expression"]


@pytest.mark.parametrize(
    ("when", "path", "told"),
    [
        ([], "", "object"),
        (None, "", "object"),
        ({"tools": []}, "tools", "no such condition"),
        ({"servers": 1}, "servers", "a list"),
        ({"servers": []}, "servers", "at least one"),
        ({"servers": ["1"]}, "servers", "wrong kind"),
        ({"servers": [True]}, "servers", "wrong kind"),
        ({"servers": [2**64]}, "servers", "wrong kind"),
        ({"servers": list(range(1, 1_002))}, "servers", "At most"),
        ({"functions": "a"}, "functions", "a list"),
        ({"functions": [{}]}, "functions", "wrong kind"),
        ({"functions": ["x" * 65]}, "functions", "wrong kind"),
        ({"labels": ["secret"]}, "labels", "no label secret"),
        ({"labels": [1]}, "labels", "wrong kind"),
        ({"annotations": ["readOnlyHint"]}, "annotations", "an object"),
        ({"annotations": {}}, "annotations", "at least one"),
        ({"annotations": {"readOnlyHint": "true"}}, "annotations", "true and false"),
        ({"annotations": {"readOnly": True}}, "annotations", "no annotation readOnly"),
        ({"end_users": ["a\0"]}, "end_users", "wrong kind"),
        ({"end_users": [""]}, "end_users", "wrong kind"),
    ],
)
def test_conditions_of_a_wrong_shape_are_refused_by_their_path(when, path, told):
    with pytest.raises(InvalidConditions) as refused:
        Conditions.read(when)

    assert refused.value.errors.keys() == {path}
    assert told in refused.value.errors[path]


def test_all_errors_are_told_at_once():
    with pytest.raises(InvalidConditions) as refused:
        Conditions.read({"servers": 1, "labels": ["x"], "expression": "("})

    assert refused.value.errors.keys() == {"servers", "labels", "expression"}
