"""Calls and rules without a database."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apikeys.principal import Principal
from assistants.catalogue import FunctionEntry
from assistants.models import Effect, Rule
from assistants.rules import Call, CompiledRule, RuleSet

ALICE = Principal(7, "alice", "mcpc_alice", False, True, False, None)
WRITE = FunctionEntry(
    server_id=3,
    server_name="Files",
    server_slug="files",
    name="write",
    public_name="files__write",
    description="",
    input_schema={},
    timeout_s=1.0,
    labels=frozenset({"sends_out"}),
)


def hinting(*, is_trusted: bool = False, **hints: Any) -> FunctionEntry:
    """Returns the tool with these annotations."""
    return replace(WRITE, details=json.dumps({"annotations": hints}), is_trusted=is_trusted)


def call(arguments: Mapping[str, Any] | None = None, function: FunctionEntry = WRITE, **changes: Any) -> Call:
    made = Call(function, arguments or {}, ALICE, "helper", "user-1", frozenset())
    return replace(made, **changes)


def rule(effect: str = "deny", pk: int = 1, **fields: Any) -> CompiledRule:
    """Returns a rule; `when` are its conditions."""
    name = fields.pop("name", f"Rule {pk}")
    return CompiledRule.of(Rule(pk=pk, name=name, effect=effect, conditions=fields.pop("when", {}), **fields))


def effect(made: Call, *rules: CompiledRule) -> Effect:
    return RuleSet(rules).judge(made).effect


def says(expression: str, made: Call) -> Effect:
    """Returns what a rule with this expression makes of a call: ask where it holds, deny where it fails."""
    return effect(made, rule("ask", when={"expression": expression}))
