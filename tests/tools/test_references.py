"""References to variables, as MCP clients write them."""

import pytest

from tools import references

VARIABLES = {"A": "one", "EMPTY": "", "OTHER": "${A}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "one"),
        ("${env:A}", "one"),
        ("x${A}y${A}z", "xoneyonez"),
        ("${A:-two}", "one"),
        ("${B:-two}", "two"),
        ("${env:B:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${B:-}", ""),
        ("${B:-https://a.example:1/x?y=z}", "https://a.example:1/x?y=z"),
        ("${EMPTY}", ""),
        ("${OTHER}", "${A}"),  # once: what is filled in is no reference
        ("$${A}", "${A}"),
        ("$A ${} ${1+1} ${a b} {A}", "$A ${} ${1+1} ${a b} {A}"),
    ],
)
def test_a_reference_becomes_its_value(text: str, filled: str) -> None:
    assert references.fill(text, VARIABLES) == (filled, [])


@pytest.mark.parametrize(
    "name", ["B", "env:B", "input:token", "workspaceFolder", "workspaceFolder:app", "userHome"]
)
def test_without_a_value_it_stays_and_is_named(name: str) -> None:
    text = f"${{{name}}} and ${{{name}}} and ${{A}}"
    assert references.fill(text, VARIABLES) == (f"${{{name}}} and ${{{name}}} and one", [name])


def test_what_is_filled_has_a_limit() -> None:
    filled, unfilled = references.fill("${A}" * 8000, {"A": "x" * 32_000})
    assert len(filled) < 1_200_000
    assert unfilled == ["A"]


@pytest.mark.parametrize(
    ("name", "is_clients"),
    [
        ("input:key", True),
        ("workspaceFolder", True),
        ("config:a.b", True),
        ("userHome", True),
        ("env:A", False),
    ]
    + [(name, False) for name in ("A", "FILE", "INPUT", "inputKey", "B:-input:x")],
)
def test_what_only_a_client_knows(name: str, is_clients: bool) -> None:
    assert references.is_clients(name) is is_clients
