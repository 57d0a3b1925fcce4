"""Dry runs: what a rule would have made of the calls that were made lately."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, combinations

from apikeys.principal import Principal
from assistants.catalogue import FunctionEntry
from assistants.catalogue import cache as catalogue
from assistants.models import Effect, Rule, ToolCall
from assistants.rules.judging import CompiledRule, RuleSet
from assistants.rules.verdicts import Call
from tools.models import Label

MOST_CALLS, LONGEST_S = 10_000, 5.0
PERIOD = timedelta(days=7)
_AT_ONCE = 500
_NOTHING = (frozenset[str](),)
_WHATEVER = [
    frozenset(each)
    for each in chain.from_iterable(
        combinations(Label.values, count) for count in range(len(Label.values) + 1)
    )
]
"""All that a conversation can have touched."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call that was made."""

    run_id: str
    server: str
    function: str
    assistant: str
    started_at: datetime


@dataclass(slots=True)
class DryRun:
    """`calls`: how many were looked at, the latest first: MOST_CALLS, or as many as LONGEST_S allow.

    `undecidable`: those that the rule may concern and of which it looks at what is not stored: arguments,
    unless the assistant stores bodies; what the conversation had touched; a tool that is gone.
    """

    calls: int = 0
    denied: list[PastCall] = field(default_factory=list)
    asked: list[PastCall] = field(default_factory=list)
    masked: list[PastCall] = field(default_factory=list)
    undecidable: int = 0


def dry_run(rule: Rule, *, since: datetime) -> DryRun:
    """Judges the calls since a moment by a rule alone. The rule need not be stored, nor enabled."""
    judge, found = _Judge(rule), DryRun()
    lists = {Effect.DENY: found.denied, Effect.ASK: found.asked, Effect.MASK: found.masked}
    ends_at = time.monotonic() + LONGEST_S
    for row in _calls(rule, since):
        if time.monotonic() > ends_at:
            break
        found.calls += 1
        effect = judge.effect(row)
        if effect is None:
            found.undecidable += 1
        elif effect in lists:
            lists[effect].append(_past(row))
    return found


class _Judge:
    def __init__(self, rule: Rule) -> None:
        self._rule = CompiledRule.of(rule)
        self._ruleset = RuleSet([self._rule])
        self._function = cache(catalogue.function_of)  # of one run: it must not outlive a change

    def effect(self, row: ToolCall) -> Effect | None:
        """Returns what the rule makes of a call; None where that cannot be known."""
        function = self._function(row.mcp_tool_id or 0, row.function)
        if function is None:
            return None
        call = _call(row, function)
        if not self._rule.concerns(call):
            return Effect.ALLOW
        if self._ruleset.reads_arguments and not isinstance(row.arguments, dict):
            return None
        # What the conversation had touched is not stored: known is what holds whatever it was. A rule may
        # match for some of it alone, and neither for nothing nor for all.
        touched = _WHATEVER if self._ruleset.reads_touched else _NOTHING
        effects = {self._ruleset.judge(replace(call, touched=each)).effect for each in touched}
        return effects.pop() if len(effects) == 1 else None


def _calls(rule: Rule, since: datetime) -> Iterator[ToolCall]:
    calls = ToolCall.objects.filter(started_at__gte=since).select_related("run")
    match rule.scope:
        case Rule.Scope.ASSISTANT:
            calls = calls.filter(run__assistant_id=rule.assistant_id or 0)
        case Rule.Scope.KEY:
            calls = calls.filter(run__api_key_id=rule.api_key_id or 0)
    shown = calls.only(
        "mcp_tool_id", "server", "function", "started_at", "arguments", "run__run_id", "run__api_key_id",
        "run__api_key_name", "run__key_prefix", "run__assistant_slug", "run__end_user",
    )  # fmt: skip
    return shown.order_by("-started_at", "-id")[:MOST_CALLS].iterator(_AT_ONCE)


def _call(row: ToolCall, function: FunctionEntry) -> Call:
    run = row.run
    principal = Principal(
        run.api_key_id or 0, run.api_key_name, run.key_prefix, False, True, False, None
    )  # fmt: skip
    arguments = row.arguments if isinstance(row.arguments, dict) else {}
    return Call(function, arguments, principal, run.assistant_slug, run.end_user, frozenset())


def _past(row: ToolCall) -> PastCall:
    return PastCall(row.run.run_id, row.server, row.function, row.run.assistant_slug, row.started_at)
