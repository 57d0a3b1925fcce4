"""The form in which somebody changes the arguments of a call before they approve it."""

from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from assistants.actions import approvals
from assistants.actions.approval_edits import Denied
from assistants.models import Approval
from core.actor import Actor
from core.admin.refusals import text_of
from core.forms import JSONField
from core.message import said
from tools.arguments import InvalidArguments


class InvalidEdit(Exception):
    """The changed arguments cannot be sent; `form` says why."""

    def __init__(self, form: "EditForm") -> None:
        super().__init__("The changed arguments cannot be sent.")
        self.form = form


class _ArgumentsField(JSONField):
    """`{}` is an answer: a tool may be called without arguments."""

    empty_values = [None, ""]


class EditForm(forms.Form):
    arguments = _ArgumentsField(label=_("Arguments"))

    @classmethod
    def of(cls, arguments: str) -> Self:
        """Returns the form as it is first shown."""
        form = cls()
        form.shown = arguments
        return form

    shown = ""
    """The text in the field."""

    def approve(self, approval: Approval, *, by: Actor) -> None:
        """Approves the call with the arguments in the form. Raises InvalidEdit, and what the verb raises."""
        self.shown = self.data.get("arguments", "")
        if not self.is_valid():
            raise InvalidEdit(self)
        try:
            approvals.approve(approval, by=by, arguments=self.cleaned_data["arguments"])
        except ValidationError as error:
            self.add_error("arguments", error)
        except InvalidArguments as invalid:
            for each in invalid.problems:
                self.add_error("arguments", f"{each.where()}: {said(each.message)}")
        except Denied as denied:
            self.add_error("arguments", text_of(denied))
        if self.errors:
            raise InvalidEdit(self)

    def clean_arguments(self) -> dict[str, Any]:
        arguments = self.cleaned_data["arguments"]
        if not isinstance(arguments, dict):
            raise ValidationError(_("Write a JSON object: { … }"))
        return arguments
