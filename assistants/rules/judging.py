"""Judges calls: the first rule of each scope that matches, and the strictest of the scopes."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from assistants.catalogue import FunctionEntry
from assistants.models import Approver, Effect, Rule
from assistants.rules import expressions, hints, masks
from assistants.rules.cel_library import cel
from assistants.rules.conditions import Conditions, InvalidConditions
from assistants.rules.expressions import EvaluationFailed, Patterns
from assistants.rules.hints import Hints
from assistants.rules.masks import Mask
from assistants.rules.verdicts import Call, Verdict, stricter

log = logging.getLogger(__name__)

_MOST_FUNCTIONS = 10_000


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule that is ready to judge. `is_broken`: it cannot be read any more, and denies every call."""

    id: int
    name: str
    effect: Effect
    approver: Approver
    reason: str
    conditions: Conditions
    masks: tuple[Mask, ...]
    is_broken: bool = False

    @classmethod
    def of(cls, row: Rule) -> Self:
        """Compiles a stored rule. It was checked when it was saved: if it fails now, no call may pass."""
        try:
            conditions = Conditions.read(row.conditions)
            paths = tuple(masks.read(path) for path in row.mask)
            is_broken = False
        except (InvalidConditions, ValueError):
            log.exception("The rule %s cannot be read: it denies every call of its scope.", row.pk)
            conditions, paths, is_broken = Conditions(), (), True
        approver = Approver(row.approver or Approver.STAFF)
        effect = Effect.DENY if is_broken else Effect(row.effect)
        return cls(row.pk or 0, row.name, effect, approver, row.reason, conditions, paths, is_broken)

    def concerns(self, call: Call) -> bool:
        """Whether the rule matches a call as far as its expression lets it."""
        return self.is_for(call.function) and self.conditions.match_end_user(call.end_user)

    def is_for(self, function: FunctionEntry) -> bool:
        """Whether the rule may match calls of a function, by what is known before any call."""
        return self.conditions.match_function(function) and self._hints_match(function)

    def _hints_match(self, function: FunctionEntry) -> bool:
        if self.is_believed_of(function):
            return True
        # What nobody has approved loosens nothing.
        conditions, believed = self.conditions, hints.effective(function)
        return self.effect != Effect.ALLOW and conditions.match_hints(believed, hints.claimed(function))

    def is_believed_of(self, function: FunctionEntry) -> bool:
        """Whether the rule matches a function's hints without those that a server only claims."""
        return self.conditions.annotations is None or self.conditions.match_hints(hints.effective(function))


Scopes = tuple[tuple[CompiledRule, ...], ...]


class RuleSet:
    """The rules that concern an assistant and a key. Threads may share it."""

    def __init__(self, *scopes: Sequence[CompiledRule]) -> None:
        self._scopes = tuple(tuple(rules) for rules in scopes if rules)
        self._for_functions: dict[str, tuple[FunctionEntry, Scopes]] = {}
        self.is_empty = not self._scopes
        found = [rule.conditions.expression for rule in _all(self._scopes)]
        self._expressions = [expression for expression in found if expression is not None]
        self._names = frozenset().union(*(each.names for each in self._expressions))
        self._patterns: Patterns = {}
        for expression in self._expressions:
            self._patterns.update(expression.patterns)
        self.reads_touched = "touched" in self._names
        self.reads_arguments = "call_arguments" in self._names

    def judge(self, call: Call) -> Verdict:
        """Returns what becomes of a call. It never raises: what cannot be judged is denied."""
        worst = Verdict(Effect.ALLOW, call.arguments)
        facts = _Facts(call, self._names, self._patterns)
        try:
            for rules in self._rules_for(call.function):
                worst = stricter(worst, _first_match(rules, facts))
                if worst.effect == Effect.DENY:
                    break
        except Exception:  # a fault of ours must not let a call pass
            log.exception("The rules could not judge a call of %s.", call.function.public_name)
            return Verdict(Effect.DENY, call.arguments, reason="the rules could not judge this call.")
        return worst

    def _rules_for(self, function: FunctionEntry) -> Scopes:
        """Returns the rules that may match calls of a function, for as long as it is the same entry."""
        known = self._for_functions.get(function.public_name)
        if known is not None and known[0] is function:
            return known[1]
        found = tuple(tuple(rule for rule in rules if rule.is_for(function)) for rules in self._scopes)
        if len(self._for_functions) >= _MOST_FUNCTIONS:
            self._for_functions.clear()
        self._for_functions[function.public_name] = (function, found)
        return found


def _all(scopes: Iterable[Sequence[CompiledRule]]) -> Iterable[CompiledRule]:
    return (rule for rules in scopes for rule in rules)


class _Facts:
    """What rules look at of one call, each made at most once, where a rule asks for it."""

    def __init__(self, call: Call, names: frozenset[str], patterns: Patterns) -> None:
        self.call = call
        self._names, self._patterns = names, patterns

    @cached_property
    def effective(self) -> Hints:
        return hints.effective(self.call.function)

    @cached_property
    def size_problem(self) -> str | None:
        return expressions.size_problem(self.call.arguments)

    @cached_property
    def context(self) -> cel.Context:
        # Arguments that are too large are not even converted: the rules that read them deny.
        names = self._names - {"call_arguments"} if self.size_problem else self._names
        return expressions.context({name: _VALUES[name](self) for name in names}, self._patterns)


_VALUES: Mapping[str, Callable[[_Facts], Any]] = {
    "call_server": lambda facts: facts.call.function.server_slug,
    "call_function": lambda facts: facts.call.function.public_name,
    "call_arguments": lambda facts: dict(facts.call.arguments),
    "call_annotations": lambda facts: dict(facts.effective),
    "call_labels": lambda facts: sorted(facts.call.function.labels),
    "key_name": lambda facts: facts.call.principal.name,
    "key_prefix": lambda facts: facts.call.principal.key_prefix,
    "assistant_slug": lambda facts: facts.call.assistant_slug,
    "end_user": lambda facts: facts.call.end_user,
    "touched": lambda facts: sorted(facts.call.touched),
}
"""The variables of expressions, as `assistants.rules.reading` names them."""


def _first_match(rules: Sequence[CompiledRule], facts: _Facts) -> Verdict:
    """A rule that matches by what a server only claims adds to the next: it must not hide a stricter one."""
    claimed = Verdict(Effect.ALLOW, facts.call.arguments)
    for rule in rules:
        if rule.conditions.match_end_user(facts.call.end_user):
            problem = None
            try:
                if not _holds(rule, facts):
                    continue
            except EvaluationFailed as error:
                problem = str(error)
            verdict = stricter(claimed, _verdict(rule, facts.call.arguments, problem))
            if verdict.effect == Effect.DENY or rule.is_believed_of(facts.call.function):
                return verdict
            claimed = verdict
    return claimed


def _holds(rule: CompiledRule, facts: _Facts) -> bool:
    expression = rule.conditions.expression
    if expression is None:
        return True
    if "call_arguments" in expression.names and facts.size_problem:
        raise EvaluationFailed(facts.size_problem)
    return expression.holds(facts.context)


def _verdict(rule: CompiledRule, arguments: Mapping[str, Any], problem: str | None) -> Verdict:
    verdict = Verdict(rule.effect, arguments, rule.id, rule.name, rule.reason, rule.approver)
    if rule.is_broken:
        return replace(verdict, reason=f"{rule.name} cannot be read; a manager has to save it anew.")
    if problem is not None:
        return replace(verdict, effect=Effect.DENY, reason=f"{rule.name} cannot judge the call: {problem}.")
    if rule.effect != Effect.MASK:
        return verdict
    return replace(verdict, arguments=masks.masked(arguments, rule.masks), masks=rule.masks)
