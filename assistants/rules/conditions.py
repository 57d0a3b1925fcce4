"""The conditions of a rule: read from JSON, with errors by path, and matched against a call."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.utils.translation import gettext

from assistants.catalogue import FunctionEntry
from assistants.rules.expressions import Expression
from assistants.rules.hints import DEFAULTS, Hints
from tools.models import Label

MOST_NAMES, LONGEST_END_USER, LONGEST_FUNCTION = 1_000, 512, 64
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_FIELDS = ("servers", "functions", "annotations", "labels", "end_users", "expression")


class InvalidConditions(ValueError):
    """Conditions that no rule may have. `errors`: messages by path, such as `expression`; "" is the whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(dict(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a call must be for a rule to match. None: whatever it is. Of a list, one must match."""

    servers: frozenset[int] | None = None
    functions: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    end_users: frozenset[str] | None = None
    annotations: Hints | None = None
    """All of them must match."""
    expression: Expression | None = None

    @classmethod
    def read(cls, stored: Any) -> Self:
        """Reads conditions. Raises InvalidConditions; whether the servers exist is not asked."""
        if not isinstance(stored, Mapping):
            raise InvalidConditions({"": gettext("Give an object.")})
        errors: dict[str, str] = {}
        for name in stored.keys() - set(_FIELDS):
            errors[str(name)] = gettext("There is no such condition. There are: %s.") % ", ".join(_FIELDS)
        values: dict[str, Any] = {}
        for name in _FIELDS:
            if name in stored:
                try:
                    values[name] = _READERS[name](stored[name])
                except ValueError as error:
                    errors[name] = str(error)
        if errors:
            raise InvalidConditions(errors)
        return cls(**values)

    def match_function(self, function: FunctionEntry) -> bool:
        """Whether all calls of a function match, apart from its annotations."""
        return (
            (self.servers is None or function.server_id in self.servers)
            and (self.functions is None or function.public_name in self.functions)
            and (self.labels is None or not self.labels.isdisjoint(function.labels))
        )

    def match_end_user(self, end_user: str) -> bool:
        return self.end_users is None or end_user in self.end_users

    def match_hints(self, *hints: Hints) -> bool:
        """Whether each annotation is as one of these says."""
        wanted = self.annotations or {}
        return all(any(given[name] == value for given in hints) for name, value in wanted.items())


def _list(value: Any, is_item: Callable[[Any], bool], example: str) -> frozenset[Any]:
    if not isinstance(value, list):
        raise ValueError(gettext("Give a list, for example %s.") % example)
    if not all(map(is_item, value)):
        raise ValueError(gettext("An entry is of the wrong kind: write each as in %s.") % example)
    if not value:
        raise ValueError(gettext("Name at least one, or leave the condition out."))
    if len(value) > MOST_NAMES:
        raise ValueError(gettext("At most %d.") % MOST_NAMES)
    return frozenset(value)


def _servers(value: Any) -> frozenset[int]:
    return _list(value, lambda item: type(item) is int and 0 < item < 2**63, "[1, 2]")


def _functions(value: Any) -> frozenset[str]:
    return _list(value, _is_text(LONGEST_FUNCTION), '["files__write"]')


def _end_users(value: Any) -> frozenset[str]:
    return _list(value, _is_text(LONGEST_END_USER), '["user-1"]')


def _is_text(longest: int) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, str) and 0 < len(item) <= longest and not _UNSTORABLE.search(item)


def _labels(value: Any) -> frozenset[str]:
    labels = _list(value, lambda item: isinstance(item, str), '["sends_out"]')
    if unknown := sorted(labels - set(Label.values)):
        message = gettext("There is no label %(unknown)s. There are: %(known)s.")
        raise ValueError(message % {"unknown": unknown[0], "known": ", ".join(Label.values)})
    return labels


def _annotations(value: Any) -> Hints:
    if not isinstance(value, Mapping) or not all(isinstance(hint, bool) for hint in value.values()):
        raise ValueError(gettext('Give an object of true and false, for example {"readOnlyHint": false}.'))
    if unknown := sorted(map(str, value.keys() - DEFAULTS.keys())):
        message = gettext("There is no annotation %(unknown)s. There are: %(known)s.")
        raise ValueError(message % {"unknown": unknown[0], "known": ", ".join(DEFAULTS)})
    if not value:
        raise ValueError(gettext("Name at least one, or leave the condition out."))
    return dict(value)


def _expression(value: Any) -> Expression:
    if not isinstance(value, str):
        raise ValueError(gettext("Give a text: an expression in CEL."))
    if not value.strip():
        raise ValueError(gettext("Give an expression, or leave the condition out."))
    if "\0" in value:
        raise ValueError(gettext("Null characters are not allowed."))
    return Expression(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "servers": _servers,
    "functions": _functions,
    "annotations": _annotations,
    "labels": _labels,
    "end_users": _end_users,
    "expression": _expression,
}
