"""Masks: which values of the arguments they replace, and by what."""

import pytest

from assistants.models import Effect
from assistants.rules import RuleSet, masks
from tests.assistants.rules.calls import call, rule


@pytest.mark.parametrize(
    ("path", "given", "left"),
    [
        ("$.a", {"a": "x", "b": "y"}, {"a": "[masked]", "b": "y"}),
        ("$.a.b", {"a": {"b": "x", "c": 1}}, {"a": {"b": "[masked]", "c": 1}}),
        ("$.a[0]", {"a": ["x", "y"]}, {"a": ["[masked]", "y"]}),
        (
            "$.a[*].b",
            {"a": [{"b": "x"}, {"b": "y", "c": "z"}, 5]},
            {"a": [{"b": "[masked]"}, {"b": "[masked]", "c": "z"}, 5]},
        ),
        ("$.a[1][0]", {"a": [["x"], ["y"]]}, {"a": [["x"], ["[masked]"]]}),
        ("$.a-b.ü", {"a-b": {"ü": "x"}}, {"a-b": {"ü": "[masked]"}}),
        ("$.a", {"a": 42}, {"a": 0}),
        ("$.a", {"a": 4.2}, {"a": 0}),
        ("$.a", {"a": True}, {"a": True}),
        ("$.a", {"a": None}, {"a": None}),
        (
            "$.a",
            {"a": {"b": "x", "c": [1, "y", False]}},
            {"a": {"b": "[masked]", "c": [0, "[masked]", False]}},
        ),
        ("$.b", {"a": "x"}, {"a": "x"}),
        ("$.a.b", {"a": "x"}, {"a": "x"}),
        ("$.a[5]", {"a": ["x"]}, {"a": ["x"]}),
        ("$.a[0]", {"a": {"0": "x"}}, {"a": {"0": "x"}}),
        ("$.a[*]", {"a": {"*": "x"}}, {"a": {"*": "x"}}),
        ("$.0", {"0": "x"}, {"0": "[masked]"}),
    ],
)
def test_a_mask_replaces_the_values_at_its_path(path, given, left):
    before = str(given)

    verdict = RuleSet([rule("mask", mask=[path])]).judge(call(given))

    assert (verdict.effect, verdict.arguments) == (Effect.MASK, left)
    assert str(given) == before


@pytest.mark.parametrize(
    "path",
    ["", "a", "$", "$.", "$a", "$..a", "$.a.", "$.a[", "$.a[]", "$.a[-1]", "$.a[x]", "$.a['b']", "$['a']",
     "$[0]", "$.*", "$.a[?(@.b)]", "$.a[0:2]", "$.a b", "$.a" * 200, "$.a\n", 5, None, ["$.a"]],
)  # fmt: skip
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError, match="Give paths such as"):
        masks.read(path)
