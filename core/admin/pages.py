"""The base classes of the console's pages of models: they show secrets masked."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.forms import PaginationInlineFormSet
from unfold.views import ChangeList

from core.forms import JSONField

Row = TypeVar("Row", bound=models.Model)
Parent = TypeVar("Parent", bound=models.Model)
_RANGE = re.compile(r"_(from|to)(_[01])?$")
"""How unfold's filters of ranges end the names of their parameters."""
JSON_FIELDS: Any = {models.JSONField: {"form_class": JSONField}}


def masked(row: Row) -> Row:
    """Masks the secrets of a row that was read. It must not be saved any more, which verbs see to.

    A field with secrets has methods for its values: `masked`, and `is_unreadable` for those no key decrypts.
    """
    shown: Any = row
    shown.unreadable_fields = []
    fields: Sequence[Any] = row._meta.concrete_fields
    for field in fields:
        if hasattr(field, "masked") and field.attname not in row.get_deferred_fields():
            value = getattr(row, field.attname)
            if field.is_unreadable(value):
                shown.unreadable_fields.append(str(field.verbose_name))
            setattr(row, field.attname, field.masked(value))
    return row


def warn_of_unreadable(request: HttpRequest, rows: Iterable[Any]) -> None:
    """Tells the person which of these masked rows hold secrets that no key decrypts, and what to do."""
    found = [f"{row} ({', '.join(row.unreadable_fields)})" for row in rows if row.unreadable_fields]
    if found:
        message = _(
            "No key of SECRET_ENCRYPTION_KEYS decrypts what is stored here: %(rows)s. Restore the key that"
            " encrypted it and restart, or enter it anew."
        )
        messages.warning(request, message % {"rows": "; ".join(found)})


class MaskedFormSet(PaginationInlineFormSet, BaseInlineFormSet[Row, Parent, forms.ModelForm[Row]]):  # type: ignore[misc]
    """Rows of an inline, with their secrets masked."""

    def get_queryset(self) -> models.QuerySet[Row]:
        rows = super().get_queryset()
        for row in rows:  # a formset evaluates its queryset once, and goes on with these rows
            masked(row)
        return rows


class MaskedInline(UnfoldTabularInline, admin.TabularInline[Row, Parent]):  # type: ignore[misc]
    """The base of every inline."""

    formset: Any = MaskedFormSet
    formfield_overrides = JSON_FIELDS


class _MaskedChangeList(ChangeList):  # type: ignore[misc]
    result_list: Any
    full_result_count: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = [masked(row) for row in self.result_list]
        if self.full_result_count is None and not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count  # unfold would offer to show all
        if request.method == "GET":
            warn_of_unreadable(request, self.result_list)


class ConsoleAdmin(UnfoldModelAdmin, admin.ModelAdmin[Row]):  # type: ignore[misc]
    """The base of every admin: whatever it shows, and to whomever, secrets are masked.

    They are masked in the rows and not by forms: for who may view and not change, Django renders the row
    itself.
    """

    formfield_overrides = JSON_FIELDS
    list_fullwidth = True
    list_per_page = 30
    warn_unsaved_form = True
    is_audited = True
    """Whether verbs record changes of these rows, so that a page has a button that leads to them."""
    when_empty: Any = ""
    """What a list without rows says, besides that it has none: what is listed here, and how it comes."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        row = super().get_object(request, object_id, from_field)
        return None if row is None else masked(row)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        if row is not None and request.method == "GET":
            warn_of_unreadable(request, [row])
        context["show_history"] = self.is_audited and request.user.has_perm("apikeys.view_auditentry")
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Leads to the row's entries in the audit log: Django's own log has what the console did alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = urlencode({"object": f"{self.opts.verbose_name_raw}:{object_id}"})
        return redirect(f"{reverse('admin:apikeys_auditentry_changelist')}?{query}")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _MaskedChangeList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters  # PostgreSQL fails on NUL; Django lists everything instead
        return super().get_changelist_instance(request)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allows to filter a list by what it shows alone: any other column could be guessed bit by bit."""
        filters = map(_parameter, self.get_list_filter(request))
        if {"year", "iso_year"} & set(lookup.split("__")):  # Django fails on years that no date has
            return False
        shown = {*self.list_display, *filters, self.opts.pk.name, self.date_hierarchy}
        name = _RANGE.sub("", lookup.partition("__")[0])
        return name in shown and super().lookup_allowed(lookup, value, request)


def _parameter(entry: Any) -> Any:
    """Returns the name by which an entry of `list_filter` is found in addresses."""
    return entry[0] if isinstance(entry, tuple) else getattr(entry, "parameter_name", entry)


class ReadOnlyAdmin(ConsoleAdmin[Row]):
    """Rows that nobody changes in the admin, superusers neither."""

    is_audited = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False
