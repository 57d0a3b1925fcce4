"""Expressions that are never true or false."""

import pytest

from assistants.rules.expressions import Expression
from assistants.rules.reading import InvalidExpression

NEVER = [
    "1", "-1", "'a'", "b'a'", "null", "[true]", "{'a': true}", "1 + 2", "(1)", "((2.5))", "true ? 1 : 'a'",
    "[1, 2].map(x, x > 1)", "1 / 0 == 1", "'a' && true", "!1", "-(call.arguments.n)",
    "end_user", "touched", "call.server", "call . arguments", "key.name", "assistant.slug",
    "size(touched)", "end_user.size()", "string(call.arguments.n)", "call.arguments.n + 1",
    "call.arguments.n * (2 > 1 ? 2 : 3)", "call.labels.filter(x, x == 'sends_out')", "[call.arguments.a]",
    "call.arguments.n > 1 ? 'yes' : size(end_user)", "(call.arguments.n > 1 ? (1) : [2])",
    "timestamp(call.arguments.at).getHours()", "!call.arguments.a + 1 // == 1",
]  # fmt: skip
PERHAPS = [
    "true", "false", "!false", "1 > 0", "(1 == 1)", "[1].exists(x, x == 1)", "1 in [1]",
    "has(call.arguments.a)",
    "call.arguments.a", "call.arguments.a[0]", "call.arguments['a']", "call.annotations.readOnlyHint",
    "dyn(call.arguments.a)", "call.arguments.a ? true : 1", "(call.arguments.a) ? 1 : call.arguments.b",
    "end_user.startsWith('a')", "end_user.matches('^a')", "touched == []", "size(touched) > 1",
    "!(call.arguments.a)",
    "touched.exists(x, x == '+')", "'a' + end_user == 'ab'", "call.arguments.n - 1 < 2 || end_user == ''",
    "[true, false][0]", "{'a': true}['a']", "{'a': true}.a", "[call.arguments.a > 1, true][0]", "'b' != 'c'",
]  # fmt: skip


@pytest.mark.parametrize("source", NEVER)
def test_what_is_never_true_or_false_is_refused(source: str) -> None:
    with pytest.raises(InvalidExpression, match="never true or false"):
        Expression(source).require_boolean()


@pytest.mark.parametrize("source", PERHAPS)
def test_what_may_be_true_or_false_is_not(source: str) -> None:
    Expression(source).require_boolean()
