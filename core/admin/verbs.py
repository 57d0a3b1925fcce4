"""The base class of pages that change rows: by the verbs of the row's app alone, as the REST API does."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from core.admin.pages import ConsoleAdmin
from core.admin.refusals import REFUSALS, VerbForm, errors_by_field, refused, text_of

Row = TypeVar("Row", bound=models.Model)
Fields = Mapping[str, Any]
VERSION = "seen_version"
"""The field of a change form that tells which version of the row the person has seen."""


class ChangedMeanwhile(APIException):
    """Somebody else saved the row after the page was opened: the console's 412 (`If-Match` in REST)."""

    status_code = 412
    default_code = "version_conflict"
    default_detail = _(
        "Somebody else changed this after you opened the page. What you entered is below and is not saved."
        " Compare it with what is stored now, then save again to replace it."
    )


def refuse_if_changed_meanwhile(request: HttpRequest, row: models.Model) -> None:
    """Locks the row until its verb has changed it. Without a version nothing is checked, as in REST.

    Raises ChangedMeanwhile. Call it in the transaction of the change.
    """
    seen = request.POST.get(VERSION)
    rows = type(row)._default_manager.select_for_update()
    if seen and str(rows.values_list("version", flat=True).get(pk=row.pk)) != seen:
        raise ChangedMeanwhile


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
            again: Any = request
            again.refusal, again.refused_by = errors_by_field(error), error
            return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Gives the form the version that it shows; after a conflict, the present one."""
        row = context.get("original")
        present = getattr(row, "version", "") if row is not None else ""
        is_told = isinstance(getattr(request, "refused_by", None), ChangedMeanwhile)
        seen = present if is_told else request.POST.get(VERSION, present)
        return super().render_change_form(request, {**context, "seen_version": seen}, *args, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return refused(super().get_form(request, obj, change=change, **kwargs), request)

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Does nothing: verbs are given the rows of inlines too, and those are known in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        related = self.fields_of_inlines(formsets)
        if change:
            changes = {**{name: form.cleaned_data[name] for name in form.changed_data}, **related}
            if changes:
                refuse_if_changed_meanwhile(request, form.instance)
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
        """Asks for no permission to delete what goes with a row: nobody has it for read-only rows.

        Of what goes with it, rows that have pages are counted, and none is listed: there may be thousands.
        """
        found: Any = super().get_deleted_objects(objs, request)
        deleted, counts, _needed, protected = found
        with_pages = {model._meta.verbose_name_plural for model in self.admin_site._registry}  # noqa: SLF001
        shown = {name: count for name, count in counts.items() if name in with_pages}
        return [each for each in deleted if not isinstance(each, list)], shown, set(), protected

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
            self.message_user(request, text_of(error), messages.ERROR)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def response_action(self, request: HttpRequest, queryset: models.QuerySet[Row], *more: Any) -> Any:
        """Does an action to all selected rows or to none."""
        try:
            for pk in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(pk)
            with transaction.atomic():
                return super().response_action(request, queryset, *more)
        except REFUSALS as error:
            self.message_user(request, text_of(error), messages.ERROR)
            return None
