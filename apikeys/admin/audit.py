"""The audit log in the console: who changed what, before and after."""

import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_noop, override
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, FieldTextFilter

from apikeys.models import AuditEntry
from core.admin.filters import PeriodFilter
from core.admin.pages import ReadOnlyAdmin
from core.admin.pills import Tone, pill
from core.admin.text import shown
from core.admin.times import time_tag

SHOWN = 4_000
"""Characters of one value. A page with a whole system prompt of megabytes would be no page."""
MOST_LINES = 200
PILLS: dict[str, tuple[str, Tone]] = {
    gettext_noop("created"): ("add", "success"),
    gettext_noop("approved"): ("check", "success"),
    gettext_noop("deleted"): ("delete", "danger"),
    gettext_noop("login failed"): ("lock_open", "warning"),
    gettext_noop("login locked"): ("lock", "danger"),
    gettext_noop("password changed"): ("password", "info"),
    gettext_noop("rotated"): ("autorenew", "info"),
}


OTHERS = (gettext_noop("updated"), gettext_noop("key"), gettext_noop("staff"), gettext_noop("system"))
"""Words of entries that are shown besides: the other action, and the kinds of actor."""


class DistinctFilter(DropdownFilter):  # type: ignore[misc]
    """Offers the values that a column has in the newest entries: it does not read all of them."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, word(value)) for value in _values_of(self.column)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ActionFilter(DistinctFilter):
    title, parameter_name, column = _("action"), "action", "action"


class KindFilter(DistinctFilter):
    title, parameter_name, column = _("kind"), "kind", "object_kind"


class ObjectFilter(DropdownFilter):  # type: ignore[misc]
    """Shows the entries of one object, as "kind:id", to which its page links. No other is offered."""

    title, parameter_name = _("object"), "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = request.GET.get(self.parameter_name)
        newest = _of_object(AuditEntry.objects.all(), value).first() if value else None
        return [(value, newest.object_name if newest else value)] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return _of_object(queryset, self.value()) if self.value() else queryset


def _of_object(entries: QuerySet[AuditEntry], value: str) -> QuerySet[AuditEntry]:
    kind, _separator, number = value.rpartition(":")
    is_id = number.isascii() and number.isdigit() and len(number) < 19
    return entries.filter(object_kind=kind, object_id=int(number)) if is_id else entries.none()


def _values_of(column: str) -> list[str]:
    recent = AuditEntry.objects.order_by("-at").values_list(column, flat=True)[:5_000]
    return sorted(set(recent))


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its parts before and after as (is different, text)."""

    name: str
    before: list[tuple[bool, str]]
    after: list[tuple[bool, str]]


def changes_of(entry: AuditEntry) -> list[Change]:
    """Returns what an entry changed, by field in the order of the alphabet."""
    before, after = entry.before or {}, entry.after or {}
    return [_change(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


def _change(name: str, old: Any, new: Any) -> Change:
    before, after = _lines(old), _lines(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    blocks = matcher.get_opcodes()
    return Change(
        name,
        [(tag != "equal", "\n".join(before[i:j])) for tag, i, j, _k, _l in blocks if j > i],
        [(tag != "equal", "\n".join(after[k:m])) for tag, _i, _j, k, m in blocks if m > k],
    )


def _lines(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return shown(text, most=SHOWN).splitlines()[:MOST_LINES]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """The audit log is read-only, for superusers too."""

    when_empty = _("Every change of a server, an assistant, a key or a person is listed here.")
    list_display = ["time", "who", "shown_action", "on_what", "fields_changed"]
    list_filter = [
        ("at", PeriodFilter),
        ("actor_name", FieldTextFilter),
        ActionFilter,
        KindFilter,
        ObjectFilter,
        "actor_kind",
    ]
    list_filter_submit = True
    list_display_links = ["time"]
    search_fields = ["actor_name", "object_name", "=request_id"]
    search_help_text = _("Finds names of people, keys and objects, and whole request ids.")
    show_full_result_count = False
    change_form_template = "admin/apikeys/auditentry/entry.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        entry = self.get_object(request, object_id)
        shown = {"changes": changes_of(entry), "link": link_to(entry), **_words_of(entry)} if entry else {}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    @admin.display(description=_("Time"), ordering="at")
    def time(self, entry: AuditEntry) -> str:
        return time_tag(entry.at)

    @admin.display(description=_("Who"), ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        title = f"{word(entry.actor_kind)} {entry.address}".strip()
        return format_html('<span title="{}">{}</span>', title, shown(entry.actor_name, most=100))

    @admin.display(description=_("Action"), ordering="action")
    def shown_action(self, entry: AuditEntry) -> str:
        icon, tone = PILLS.get(entry.action, ("edit", "neutral"))
        return pill(word(entry.action), icon, tone)

    @admin.display(description=_("On what"))
    def on_what(self, entry: AuditEntry) -> str:
        address = link_to(entry)
        if not address:
            return f"{word(entry.object_kind)} {shown(entry.object_name, most=100)}"
        link = '<span>{} <a class="text-link" href="{}">{}</a></span>'
        return format_html(link, word(entry.object_kind), address, shown(entry.object_name, most=100))

    @admin.display(description=_("Changed"))
    def fields_changed(self, entry: AuditEntry) -> str:
        if entry.before is None or entry.after is None:
            return ""
        return ", ".join(sorted(entry.after))[:120]


def word(stored: str) -> str:
    """Returns an action, or a kind of object or of actor, in the reader's language: English is stored."""
    return gettext(stored) if stored else ""


def link_to(entry: AuditEntry) -> str:
    """Returns the address of the page of what an entry is about, or "" if there is none."""
    opts = _kinds().get(entry.object_kind)
    if opts is None or entry.action == "deleted" or not entry.object_id:
        return ""
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[entry.object_id])
    except NoReverseMatch:
        return ""


def _words_of(entry: AuditEntry) -> dict[str, str]:
    return {name: word(getattr(entry, name)) for name in ("action", "actor_kind", "object_kind")}


def _kinds() -> dict[str, Any]:
    """Returns the models with a page, by the name that entries have for their kind."""
    with override(None):
        return {str(model._meta.verbose_name_raw): model._meta for model in admin.site._registry}  # noqa: SLF001
