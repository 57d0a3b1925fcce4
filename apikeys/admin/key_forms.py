"""The forms of API keys: to issue or change one, and to rotate it."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from apikeys import actions
from apikeys.models import ApiKey
from core.admin.refusals import VerbForm

DATE, NEVER = "date", "never"
EXPIRIES = [
    ("30", _("in 30 days")),
    ("90", _("in 90 days")),
    ("365", _("in a year")),
    (DATE, _("at the time below")),
    (NEVER, _("never")),
]
GRACES = [
    (0, _("not at all: it stops at once, and what runs with it ends")),
    (3600, _("for an hour")),
    (24 * 3600, _("for a day")),
    (7 * 24 * 3600, _("for a week")),
    (int(actions.LONGEST_GRACE.total_seconds()), _("for 30 days")),
]


class LinesField(forms.CharField):
    """Edits a list of texts, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, list) else (value or "").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data))


class AssistantsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """The assistants that a key may call, over the reverse of their relation: `assistants` declares it."""

    def __init__(self) -> None:
        super().__init__(
            ApiKey._meta.get_field("assistants").related_model._default_manager.none(),
            required=False,
            label=_("Assistants"),
            widget=UnfoldAdminSelect2MultipleWidget,
            help_text=_("Which assistants it may call. None: it can call none until some are granted."),
        )


class ApiKeyForm(VerbForm[ApiKey]):
    """One form for what a key may do, how much, from where, and for how long."""

    assistants = AssistantsField()
    expiry = forms.ChoiceField(
        choices=EXPIRIES,
        required=False,
        label=_("Expires"),
        widget=UnfoldAdminRadioSelectWidget,
    )
    allowed_networks = LinesField(
        required=False,
        label=_("Allowed networks"),
        help_text=_("Where the key may be used from, one network a line. Empty: from anywhere."),
    )

    may_let_approve: ClassVar[bool] = False
    """Whether who fills it in may themselves decide about calls. The page sets it."""

    class Meta:
        model = ApiKey
        fields = [
            "name", "can_call_assistant", "can_manage", "can_approve", "is_disabled", "expires_at",
            "requests_per_minute", "tokens_per_minute", "concurrent_requests", "tokens_per_month",
            "allowed_networks",
        ]  # fmt: skip
        labels = {
            "can_call_assistant": _("May call assistants"),
            "can_manage": _("May use the management API"),
            "can_approve": _("May approve calls"),
            "is_disabled": _("Disabled"),
            "expires_at": _("Time of expiry"),
        }
        help_texts = {
            "expires_at": _("Used if you chose “at the time below”."),
            "name": _("Who or what uses it, for instance the name of a program."),
            "can_call_assistant": _("Those that are granted to it below."),
            "can_manage": _(
                "May change everything that the console can change: for programs of yours alone."
            ),
            "can_approve": _(
                "May decide over REST about calls that wait for staff, "
                "but not about its own and those of keys that it made."
            ),
            "is_disabled": _("Callers who use a disabled key are refused from the next moment on."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stored = self.instance.pk is not None
        if "assistants" in self.fields:
            rows = ApiKey._meta.get_field("assistants").related_model._default_manager
            field: Any = self.fields["assistants"]
            field.queryset = rows.only("pk", "name").order_by("name")
            self.initial.setdefault("assistants", self._granted() if is_stored else [])
        if "expiry" in self.fields:
            present = DATE if self.instance.expires_at else NEVER
            self.initial.setdefault("expiry", present if is_stored else "90")

        if "can_approve" in self.fields and not self.may_let_approve:
            self.fields["can_approve"].disabled = True  # what is sent for it is ignored

    def _granted(self) -> list[int]:
        return list(self.instance.assistants.values_list("pk", flat=True))

    def clean(self) -> dict[str, Any]:
        """Makes a time of the choice, if there is one: callers without scripts may send the time alone."""
        cleaned = super().clean() or self.cleaned_data
        choice = cleaned.get("expiry")
        if choice == NEVER:
            cleaned["expires_at"] = None
        elif choice not in ("", DATE, None):
            cleaned["expires_at"] = _end_of_day(timezone.now() + timedelta(days=int(choice)))
        elif choice == DATE and not cleaned.get("expires_at") and "expires_at" not in self.errors:
            self.add_error("expires_at", _("Give a day, or choose another answer above."))
        return cleaned


def _end_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=23, minute=59, second=59, microsecond=0)


class RotationForm(forms.Form):
    grace_seconds = forms.TypedChoiceField(
        initial=24 * 3600,
        coerce=int,
        choices=GRACES,
        label=_("The old key works beside the new one"),
        widget=UnfoldAdminSelectWidget,
    )
