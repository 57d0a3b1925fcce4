"""Pages of the admin. They show secrets masked, and change rows by the verbs of the row's app alone.

A rule that a verb enforces is shown beside the field that breaks it, as the REST API reports it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, models, transaction
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from rest_framework.exceptions import APIException

from core.forms import JSONField
from core.validation import at_their_fields

Row = TypeVar("Row", bound=models.Model)
Parent = TypeVar("Parent", bound=models.Model)
Fields = Mapping[str, Any]

JSON_FIELDS: Any = {models.JSONField: {"form_class": JSONField}}
REFUSALS = (ValidationError, APIException, IntegrityError)
"""What a verb raises if it does not do what was asked of it."""


def masked(row: Row) -> Row:
    """Masks the secrets of a row that was read. It must not be saved any more, which verbs see to.

    A field with secrets has a method `masked` for its values.
    """
    for field in row._meta.concrete_fields:
        if hasattr(field, "masked") and field.attname not in row.get_deferred_fields():
            setattr(row, field.attname, field.masked(getattr(row, field.attname)))
    return row


class VerbForm(forms.ModelForm[Row]):
    """Shows what a verb refused beside the fields at fault, as if the form itself had found it."""

    refusal: ClassVar[dict[str, list[ValidationError]]] = {}
    of_inlines: ClassVar[frozenset[str]] = frozenset()
    """Fields of the refusal that a formset reports."""

    def add_error(self, field: str | None, error: Any) -> None:
        if "name" in self.fields and hasattr(error, "error_dict"):
            error = ValidationError(at_their_fields(error))
        super().add_error(field, error)

    def full_clean(self) -> None:
        super().full_clean()
        for name in self.refusal.keys() - self.of_inlines:
            for error in self.refusal[name]:
                self.add_error(name if name in self.fields else None, error)


class MaskedFormSet(BaseInlineFormSet[Row, Parent, forms.ModelForm[Row]]):
    """Rows of an inline, with their secrets masked."""

    def get_queryset(self) -> models.QuerySet[Row]:
        rows = super().get_queryset()
        for row in rows:  # a formset evaluates its queryset once, and goes on with these rows
            masked(row)
        return rows


class MaskedInline(admin.TabularInline[Row, Parent]):
    """The base of every inline."""

    formset: Any = MaskedFormSet
    formfield_overrides = JSON_FIELDS


class _MaskedChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = [masked(row) for row in self.result_list]


class ConsoleAdmin(admin.ModelAdmin[Row]):
    """The base of every admin: whatever it shows, and to whomever, secrets are masked.

    They are masked in the rows and not by forms: for who may view and not change, Django renders the row
    itself.
    """

    formfield_overrides = JSON_FIELDS

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        row = super().get_object(request, object_id, from_field)
        return None if row is None else masked(row)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _MaskedChangeList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters  # PostgreSQL fails on NUL; Django lists everything instead
        return super().get_changelist_instance(request)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allows to filter a list by what it shows alone: any other column could be guessed bit by bit."""
        shown = {*self.list_display, *self.list_filter, self.opts.pk.name, self.date_hierarchy}
        return lookup.partition("__")[0] in shown and super().lookup_allowed(lookup, value, request)


class ReadOnlyAdmin(ConsoleAdmin[Row]):
    """Rows that nobody changes in the admin, superusers neither."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False


class VerbAdmin(ConsoleAdmin[Row]):
    """Rows that are changed by verbs: subclasses call theirs in the three methods named `perform_...`.

    A verb may be given masked rows and values: it reads the row anew, and takes a mask for "unchanged".
    """

    form: Any = VerbForm

    def perform_create(self, request: HttpRequest, fields: Fields) -> Row:
        """Creates a row and returns it."""
        raise NotImplementedError

    def perform_update(self, request: HttpRequest, row: Row, changes: Fields) -> object:
        """Changes a row. `changes` holds the fields that were edited, and no others."""
        raise NotImplementedError

    def perform_destroy(self, request: HttpRequest, row: Row) -> object:
        """Deletes a row."""
        raise NotImplementedError

    def fields_of_inlines(self, formsets: Sequence[Any]) -> Fields:
        """Returns fields for the verbs from the valid formsets of the inlines."""
        return {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except REFUSALS as error:
            # Once more, with forms that report the refusal: rendering a page with errors is left to Django.
            refused: Any = request
            refused.refusal = _by_field(error)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return refused(super().get_form(request, obj, change, **kwargs), request)

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Does nothing: verbs are given the rows of inlines too, and those are known in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        related = self.fields_of_inlines(formsets)
        if change:
            changes = {**{name: form.cleaned_data[name] for name in form.changed_data}, **related}
            if changes:
                self.perform_update(request, form.instance, changes)
            return
        row = self.perform_create(request, {**form.cleaned_data, **related})
        form.instance.pk = row.pk
        form.instance._state.adding = False  # noqa: SLF001 - the admin logs and redirects by the instance

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, dict[str, list[str]]]]:
        # Without the formsets: they were not saved, and do not know what has changed.
        return super().construct_change_message(request, form, [], add)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Asks for no permission to delete what goes with a row: nobody has it for read-only rows."""
        deleted, counts, _, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        self.perform_destroy(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Row]) -> None:
        for row in queryset:
            self.perform_destroy(request, row)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as error:
            self.message_user(request, _text(error), messages.ERROR)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def response_action(self, request: HttpRequest, queryset: models.QuerySet[Row], *more: Any) -> Any:
        """Does an action to all selected rows or to none."""
        try:
            for pk in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(pk)
            with transaction.atomic():
                return super().response_action(request, queryset, *more)
        except REFUSALS as error:
            self.message_user(request, _text(error), messages.ERROR)
            return None


@contextmanager
def refusals_in(form: forms.Form) -> Iterator[None]:
    """Adds what a verb refuses in the block to the errors of a form, and undoes what the block did."""
    try:
        with transaction.atomic():
            yield
    except REFUSALS as error:
        for name, errors in _by_field(error).items():
            for each in errors:
                form.add_error(name if name in form.fields else None, each)


def refused(form: Any, request: HttpRequest) -> Any:
    """Returns the class of a form, or of a formset, that reports what a verb refused in this request."""
    refusal = getattr(request, "refusal", None)
    return type(form)(form.__name__, (form,), {"refusal": refusal}) if refusal else form


def _by_field(error: Exception) -> dict[str, list[ValidationError]]:
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        return error.error_dict
    field = getattr(error, "field", "") or NON_FIELD_ERRORS
    return {field: [error if isinstance(error, ValidationError) else ValidationError(_text(error))]}


def _text(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, APIException):
        return str(error.detail)
    return "Somebody else changed the same at the same moment. Try again."
