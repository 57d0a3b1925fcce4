"""What the pages of rules give to the verbs, and a dry run of a rule that is not saved."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from assistants import actions, rules
from assistants.admin.rule_form import CONDITIONS, RuleForm
from assistants.models import Rule

MOST_SHOWN = 50


def for_verbs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of the form as the verbs take them, of the conditions the whole."""
    return {name: value for name, value in fields.items() if name not in CONDITIONS}


@contextmanager
def at_fields() -> Iterator[None]:
    """Names the form's fields in a refusal: `conditions.expression` is the field `expression`."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError(_by_field(error)) from error


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    named = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    return {
        name.removeprefix("conditions.") or NON_FIELD_ERRORS: list(texts) for name, texts in named.items()
    }


def tried(sent: Any) -> dict[str, Any]:
    """Returns what the template of a dry run shows of a sent form: errors by field, or the calls."""
    form = RuleForm(sent, instance=Rule())
    form.fields["name"].required = False
    form.is_valid()
    errors = {
        str(form.fields[name].label if name in form.fields else ""): list(texts)
        for name, texts in form.errors.items()
        if name != "name"
    }
    if errors:
        return {"errors": errors}
    try:
        rule = actions.checked_rule(**for_verbs(form.cleaned_data))
    except ValidationError as error:
        found = _by_field(error)
        labels = {name: str(form.fields[name].label) if name in form.fields else "" for name in found}
        return {"errors": {labels[name]: texts for name, texts in found.items()}}
    return {"found": _found(rule)}


def _found(rule: Rule) -> dict[str, Any]:
    found = rules.dry_run(rule, since=timezone.now() - rules.PERIOD)
    lists = [
        (_("It would have forbidden"), found.denied),
        (_("It would have asked about"), found.asked),
        (_("It would have replaced arguments of"), found.masked),
    ]
    shown_lists = [(title, len(calls), calls[:MOST_SHOWN]) for title, calls in lists if calls]
    return {"calls": found.calls, "undecidable": found.undecidable, "lists": shown_lists, "most": MOST_SHOWN}
