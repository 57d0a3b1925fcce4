"""A rule in plain words: what it matches, and what becomes of it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from assistants.models import Approver, Effect, Rule
from core.admin.text import shown
from tools.models import Label

HINTS: dict[str, tuple[Any, Any, Any]] = {
    "readOnlyHint": (
        gettext_lazy("Only reads"), gettext_lazy("that only read"), gettext_lazy("that may change something"),
    ),
    "destructiveHint": (
        gettext_lazy("Destroys"), gettext_lazy("that may destroy something"),
        gettext_lazy("that destroy nothing"),
    ),
    "idempotentHint": (
        gettext_lazy("Harmless when repeated"), gettext_lazy("that do no harm when repeated"),
        gettext_lazy("that must not be repeated"),
    ),
    "openWorldHint": (
        gettext_lazy("Reaches other systems"), gettext_lazy("that reach other systems"),
        gettext_lazy("that stay in their own system"),
    ),
}  # fmt: skip
"""By a tool's annotation: its name, and what a tool is of which it is true, or false."""
_MOST = 3
"""Names that are listed; of more their number is told."""


def matched(rule: Rule, servers: Mapping[int, str]) -> str:
    """Returns which calls a rule is about. `servers`: names by id."""
    when = rule.conditions if isinstance(rule.conditions, dict) else {}
    parts = [_tools(when, servers), *_hints(when), *_labels(when), *_for(rule, when)]
    if when.get("expression"):
        parts.append(_("if its expression is true"))
    return " ".join(filter(None, parts))


def outcome(rule: Rule) -> str:
    """Returns what becomes of these calls."""
    match rule.effect:
        case Effect.ASK if rule.approver == Approver.CALLER:
            return _("ask the caller")
        case Effect.ASK:
            return _("ask staff")
        case Effect.DENY:
            return _("forbid")
        case Effect.MASK:
            return _("replace arguments: %(paths)s") % {"paths": _names([str(path) for path in rule.mask])}
    return _("allow")


def _tools(when: Mapping[str, Any], servers: Mapping[int, str]) -> str:
    names = [servers.get(pk, _("a server that is gone")) for pk in when.get("servers") or ()]
    if functions := when.get("functions"):
        return _("Calls of %(tools)s") % {"tools": _names(functions)}
    if names:
        return _("Calls of tools of %(servers)s") % {"servers": _names(names)}
    return _("Calls of all tools")


def _hints(when: Mapping[str, Any]) -> list[str]:
    given = when.get("annotations") or {}
    return [str(words[1] if given[name] else words[2]) for name, words in HINTS.items() if name in given]


def _labels(when: Mapping[str, Any]) -> list[str]:
    known = dict(Label.choices)
    labels = [f"“{known.get(label, label)}”" for label in when.get("labels") or ()]
    return [_("with the label %(labels)s") % {"labels": _(" or ").join(labels)}] if labels else []


def _for(rule: Rule, when: Mapping[str, Any]) -> list[str]:
    found = []
    if rule.scope == Rule.Scope.ASSISTANT and rule.assistant:
        found.append(_("by the assistant %(name)s") % {"name": shown(rule.assistant.name, most=80)})
    if rule.scope == Rule.Scope.KEY and rule.api_key:
        found.append(_("with the key %(name)s") % {"name": shown(rule.api_key.name, most=80)})
    if people := when.get("end_users"):
        found.append(_("on behalf of %(people)s") % {"people": _names(people)})
    return found


def _names(names: list[str]) -> str:
    listed = ", ".join(shown(name, most=64) for name in names[:_MOST])
    more = len(names) - _MOST
    if more <= 0:
        return listed
    return f"{listed} " + ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}
