"""What a verb refuses becomes an error of the form, beside the field at fault."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from core.message import told
from core.validation import at_their_fields

Row = TypeVar("Row", bound=models.Model)

REFUSALS = (ValidationError, APIException, IntegrityError)
"""What a verb raises if it does not do what was asked of it."""


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


@contextmanager
def refusals_in(form: forms.Form) -> Iterator[None]:
    """Adds what a verb refuses in the block to the errors of a form, and undoes what the block did."""
    try:
        with transaction.atomic():
            yield
    except REFUSALS as error:
        for name, errors in errors_by_field(error).items():
            for each in errors:
                form.add_error(name if name in form.fields else None, each)


def refused(form: Any, request: HttpRequest) -> Any:
    """Returns the class of a form, or of a formset, that reports what a verb refused in this request."""
    refusal = getattr(request, "refusal", None)
    return type(form)(form.__name__, (form,), {"refusal": refusal}) if refusal else form


def errors_by_field(error: Exception) -> dict[str, list[ValidationError]]:
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        return error.error_dict
    field = getattr(error, "field", "") or NON_FIELD_ERRORS
    return {field: [error if isinstance(error, ValidationError) else ValidationError(text_of(error))]}


def text_of(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, APIException):
        return told(error).said()
    return _("Somebody else changed the same at the same moment. Try again.")
