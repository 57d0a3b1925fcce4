"""Hints: what a server says of its tools in their annotations. It may say anything."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from tools.choices import Label

DEFAULTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
"""What a hint means that is not given, by the specification of MCP."""
Hints = Mapping[str, bool]


def claimed(annotations: Mapping[str, Any]) -> Hints:
    """Returns all hints of a tool. Those that are given as no truth values count as absent."""
    given = {name: value for name, value in annotations.items() if _is_hint(name, value)}
    if given.get("readOnlyHint"):
        # The specification: what is destroyed means something only of tools that are not read-only.
        return {**DEFAULTS, "destructiveHint": False, **given}
    return {**DEFAULTS, **given}


def suggested_labels(annotations: Mapping[str, Any]) -> list[str]:
    """Returns labels that staff may set on a tool with these annotations; nobody else sets them.

    No hint tells whether a tool reads private data, or sends out what stands in an address that it reads.
    """
    hints = claimed(annotations)
    if not hints["openWorldHint"]:
        return []
    sends_out = [] if hints["readOnlyHint"] else [Label.SENDS_OUT]
    return [str(label) for label in (Label.FOREIGN_TEXT, *sends_out)]


def validate_labels(value: Any) -> None:
    """Raises ValidationError unless `value` is a list of different labels."""
    known = ", ".join(Label.values)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValidationError(gettext("Give a list of labels: %s.") % known)
    if unknown := [each for each in value if each not in Label.values]:
        message = gettext("There is no label %(unknown)s. There are: %(known)s.")
        raise ValidationError(message % {"unknown": unknown[0][:64], "known": known})
    if len(value) != len(set(value)):
        raise ValidationError(gettext("Name each label once."))


def _is_hint(name: str, value: Any) -> bool:
    return name in DEFAULTS and isinstance(value, bool)
