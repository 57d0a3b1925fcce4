"""What rules cost a chat with one call of a tool: the processor time of judging it, where none matches."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from apikeys.principal import Principal
from assistants import actions, rules
from assistants.catalogue import FunctionEntry
from assistants.models import Effect, Rule
from assistants.rules import Call
from bench.figures import Figure
from core.actor import Actor
from tests.chaos.world import World

BY = Actor.system("bench")
RULES, CALLS, ROUNDS = 50, 500, 9
GOAL_MS = 0.1
When = Mapping[str, Any]

_ARGUMENTS = {
    "path": "/srv/reports/2026/summary.txt",
    "text": "The figures of the week. " * 80,
    "recipients": [f"user{number}@example.com" for number in range(10)],
    "options": {"overwrite": False, "mode": 420, "tags": ["weekly", "public"]},
}
_MIXED: Sequence[When] = (
    {"functions": ["files__write"], "expression": "call.arguments.path.startsWith('/etc/')"},
    {"labels": ["reads_private"]},
    {"annotations": {"idempotentHint": True}},
    {"end_users": ["somebody"]},
    {"labels": ["sends_out"], "expression": "'foreign_text' in touched && 'reads_private' in touched"},
)
_EXPRESSIONS: Sequence[When] = (
    {"expression": "call.arguments.path.startsWith('/etc/')"},
    {"expression": "call.arguments.path.matches('^/home/[a-z]+/[.]ssh/')"},
    {"expression": "call.arguments.options.mode > 511 || assistant.slug == 'other'"},
    {"expression": "'foreign_text' in touched && 'sends_out' in call.labels"},
    {"expression": "key.name == 'nobody' && size(call.arguments.recipients) > 20"},
)
_KINDS = (("of all kinds", _MIXED), ("that are all expressions", _EXPRESSIONS))


def measure(world: World) -> list[Figure]:
    return [_figure(kind, conditions) for kind, conditions in _KINDS]


def _figure(kind: str, conditions: Sequence[When]) -> Figure:
    for number in range(RULES):
        when = conditions[number % len(conditions)]
        stored = {name: value for name, value in when.items() if name != "functions"}
        rule = actions.add_rule(by=BY, name=f"{kind} {number}", effect=Effect.DENY, conditions=stored)
        Rule.objects.filter(pk=rule.pk).update(conditions=when)  # the tool itself is not in the database
    spent = asyncio.run(_spent_ms(_call()))
    Rule.objects.filter(name__startswith=kind).delete()
    goal = GOAL_MS if conditions is _MIXED else None
    return Figure(f"judging a call by {RULES} rules {kind}", spent, "CPU-ms", goal)


async def _spent_ms(call: Call) -> list[float]:
    spent = []
    for _ in range(ROUNDS):
        ruleset = await rules.of(None, 0)
        started = time.process_time()
        for _ in range(CALLS):
            judged = ruleset.judge(call)
        spent.append((time.process_time() - started) / CALLS * 1_000)
        assert judged.effect == Effect.ALLOW  # noqa: S101 - all rules were looked at
    return spent


def _call() -> Call:
    function = FunctionEntry(
        server_id=1,
        server_name="Files",
        server_slug="files",
        name="write",
        public_name="files__write",
        description="Writes a file.",
        input_schema={"type": "object"},
        timeout_s=60.0,
        labels=frozenset({"sends_out"}),
        details=json.dumps({"annotations": {"destructiveHint": True}}),
    )
    principal = Principal(1, "alice", "mcpc_alice", False, True, False, None)
    return Call(function, _ARGUMENTS, principal, "helper", "user-1", frozenset({"reads_private"}))
