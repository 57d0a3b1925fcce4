"""Adds, changes, orders and deletes rules."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext

from apikeys import audit
from assistants.models import Approver, Assistant, Effect, Rule
from assistants.rules import Conditions, InvalidConditions, InvalidExpression, masks
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean, text_problem
from tools.models import MCPTool, ToolFunction

MOST_RULES = 200
"""For each scope: of all calls, of one assistant, of one key. Each costs every call of its scope."""
LAST_POSITION = 1_000_000
"""Of the rule that is shipped: what is added stands before it."""
MOST_REASON = 1_000
_STEP = 10
_FIELDS = (
    "name", "position", "scope", "assistant", "api_key", "conditions", "effect", "approver", "reason", "mask",
    "is_enabled",
)  # fmt: skip


@transaction.atomic
def add_rule(*, by: Actor, **fields: Any) -> Rule:
    """Adds a rule, after the others of its scope unless it has a `position`.

    Raises ValidationError, whose keys for conditions are such as `conditions.expression`, and Conflict.
    """
    rule = checked_rule(**fields)
    others = _of_scope(rule)
    if others.count() >= MOST_RULES:
        raise Conflict(gettext("At most %d rules for each scope.") % MOST_RULES, "too_many_rules")
    if "position" not in fields:
        before = others.filter(position__lt=LAST_POSITION).aggregate(last=Max("position"))["last"] or 0
        rule.position = min(before + _STEP, LAST_POSITION)
    clean(rule)
    rule.save(force_insert=True)
    audit.created(rule, by=by)
    return rule


def checked_rule(**fields: Any) -> Rule:
    """Returns a rule that could be added, and is not. Raises ValidationError."""
    rule = Rule(**fields)
    _make_consistent(rule)
    _require_valid(rule, {"conditions", "mask", "reason"})
    return rule


@transaction.atomic
def update_rule(rule: Rule, *, by: Actor, **changes: Any) -> Rule:
    """Changes a rule. Raises ValidationError as `add_rule` does, and Conflict."""
    # Read anew: a form of the console has already changed its own row.
    rule.refresh_from_db(from_queryset=Rule.objects.select_for_update())
    # What stays is not checked again: a rule for a server that is gone must still be possible to switch off.
    changed = {name for name, value in changes.items() if getattr(rule, name) != value}
    with audit.changing(rule, by=by):
        for name, value in changes.items():
            setattr(rule, name, value)
        _make_consistent(rule)
        _require_valid(rule, changed)
        clean(rule)
        rule.version += 1
        rule.save(update_fields=[*_FIELDS, "version", "updated_at"])
    return rule


@transaction.atomic
def delete_rule(rule: Rule, *, by: Actor) -> None:
    """Deletes a rule. Calls that wait because of it go on waiting."""
    audit.deleted(rule, by=by)
    rule.delete()


@transaction.atomic
def reorder_rules(ids: Sequence[int], *, by: Actor) -> None:
    """Puts the rules of one scope in this order. Raises Conflict if these are not all of one scope."""
    rows = {rule.pk: rule for rule in Rule.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    first = next(iter(rows.values()), None)
    scope = {rule.pk for rule in _of_scope(first)} if first else set()
    if len(ids) != len(rows) or rows.keys() != scope:
        raise Conflict(gettext("The rules have changed meanwhile. Look again, then order them."), "conflict")
    for position, pk in enumerate(ids, start=1):
        if rows[pk].position != position * _STEP:
            update_rule(rows[pk], by=by, position=position * _STEP)


def copy_rules(assistant: Assistant, *, to: Assistant, by: Actor) -> None:
    """Adds the rules of an assistant to a copy of it: the copy must not be freer."""
    for rule in assistant.rules.all():
        fields = {name: getattr(rule, name) for name in _FIELDS}
        copied = Rule(**{**fields, "assistant": to, "name": _free_name(f"{rule.name[:180]} ({to.slug})")})
        clean(copied)
        copied.save(force_insert=True)
        audit.created(copied, by=by)


def _free_name(wanted: str) -> str:
    names = itertools.chain([wanted], (f"{wanted} {number}" for number in itertools.count(2)))
    return next(name for name in names if not Rule.objects.filter(name__iexact=name).exists())


def _of_scope(rule: Rule) -> QuerySet[Rule]:
    """Returns the stored rules among which the first that matches counts."""
    return Rule.objects.filter(scope=rule.scope, assistant=rule.assistant_id, api_key=rule.api_key_id)


def _make_consistent(rule: Rule) -> None:
    """Drops what means nothing with the scope and the effect of a rule."""
    if rule.scope != Rule.Scope.ASSISTANT:
        rule.assistant = None
    if rule.scope != Rule.Scope.KEY:
        rule.api_key = None
    if rule.effect != Effect.ASK:
        rule.approver = Approver.STAFF
    if rule.effect != Effect.MASK:
        rule.mask = []


def _require_valid(rule: Rule, changed: set[str]) -> None:
    errors: dict[str, str] = {}
    if rule.scope == Rule.Scope.ASSISTANT and rule.assistant_id is None:
        errors["assistant"] = gettext("Choose the assistant whose calls it is for.")
    if rule.scope == Rule.Scope.KEY and rule.api_key_id is None:
        errors["api_key"] = gettext("Choose the key whose calls it is for.")
    if "reason" in changed and (problem := text_problem(rule.reason, most=MOST_REASON)):
        errors["reason"] = problem
    if "conditions" in changed:
        errors |= _problems_of_conditions(rule.conditions)
    if (
        changed & {"mask", "effect"}
        and rule.effect == Effect.MASK
        and (problem := _problem_of_mask(rule.mask))
    ):
        errors["mask"] = problem
    if errors:
        raise ValidationError(errors)


def _problems_of_conditions(stored: Any) -> Mapping[str, str]:
    try:
        conditions = Conditions.read(stored)
    except InvalidConditions as error:
        return {f"conditions.{path}" if path else "conditions": text for path, text in error.errors.items()}
    errors = {}
    try:
        if conditions.expression is not None:
            conditions.expression.require_boolean()
    except InvalidExpression as error:
        errors["conditions.expression"] = str(error)
    servers = MCPTool.objects.present().filter(pk__in=conditions.servers or ())
    if missing := (conditions.servers or frozenset()) - set(servers.values_list("pk", flat=True)):
        errors["conditions.servers"] = gettext("There is no server %s.") % min(missing)
    functions = ToolFunction.objects.filter(public_name__in=conditions.functions or ())
    if unknown := (conditions.functions or frozenset()) - set(
        functions.values_list("public_name", flat=True)
    ):
        errors["conditions.functions"] = gettext("There is no tool %s.") % min(unknown)
    return errors


def _problem_of_mask(paths: Any) -> str | None:
    if not isinstance(paths, list) or not paths:
        return gettext('Name at least one path, for example ["$.card.number"].')
    if len(paths) > masks.MOST_PATHS:
        return gettext("At most %d.") % masks.MOST_PATHS
    try:
        for path in paths:
            masks.read(path)
    except ValueError as error:
        return str(error)
    return None
