"""The form of a rule: what it matches by choices, and an expression for those who need more."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from assistants.admin.rule_words import HINTS
from assistants.models import Effect, Rule
from core.admin.refusals import VerbForm
from tools.models import Label, MCPTool

HINT_CHOICES = [("", _("does not matter")), ("true", _("yes")), ("false", _("no, or not told"))]
EFFECTS = [
    (Effect.ASK, _("Ask: the call waits until somebody agrees")),
    (Effect.DENY, _("Forbid: the call is not made")),
    (Effect.MASK, _("Replace arguments: the tool does not see their values")),
    (Effect.ALLOW, _("Allow: the rules below it are not asked")),
]
HINT_FIELDS = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}
"""Annotations of tools by the names of their fields."""
CONDITIONS = ("servers", "functions", "labels", *HINT_FIELDS, "end_users", "expression")
"""Fields that make the rule's conditions."""
_EXAMPLES = _(
    "For what the choices above cannot say: an expression in CEL that is true or false. For example"
    " call.arguments.amount > 1000, or call.arguments.to.endsWith('@example.org'),"
    " or 'foreign_text' in touched. It knows call.server, call.function, call.arguments, call.annotations,"
    " call.labels, key.name, key.prefix, assistant.slug, end_user and touched."
)


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = value if isinstance(value, list) else (value or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data))


class ServersField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, server: Any) -> str:
        return str(server.name)


def _hint(name: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=HINT_CHOICES, required=False, label=HINTS[name][0], widget=UnfoldAdminSelectWidget
    )


class RuleForm(VerbForm[Rule]):
    effect = forms.ChoiceField(
        label=_("What becomes of it"), choices=EFFECTS, widget=UnfoldAdminRadioSelectWidget
    )
    servers = ServersField(
        MCPTool.objects.none(), required=False, label=_("Servers"), widget=UnfoldAdminSelect2MultipleWidget,
        help_text=_("Tools of one of these. None chosen: all servers."),
    )  # fmt: skip
    functions = LinesField(
        required=False, label=_("Tools"),
        help_text=_("Names as in the list Tools, one a line, for instance files__write. Empty: all tools."),
    )  # fmt: skip
    labels = forms.MultipleChoiceField(
        choices=Label.choices, required=False, label=_("Labels"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Tools with one of these labels, which staff set on servers and tools. None: all tools."),
    )  # fmt: skip
    end_users = LinesField(
        required=False, label=_("End users"),
        help_text=_("For whom the caller asks, by its own names for them, one a line. Empty: everybody."),
    )  # fmt: skip
    read_only = _hint("readOnlyHint")
    destructive = _hint("destructiveHint")
    idempotent = _hint("idempotentHint")
    open_world = _hint("openWorldHint")
    expression = forms.CharField(
        required=False, label=_("Expression"), help_text=_EXAMPLES, strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
    )  # fmt: skip
    mask = LinesField(
        required=False, label=_("Arguments to replace"),
        help_text=_("Paths, one a line: $.card.number, or $.cards[*].number for each of a list."),
    )  # fmt: skip

    class Meta:
        model = Rule
        fields = [
            "name",
            "scope",
            "assistant",
            "api_key",
            "effect",
            "approver",
            "reason",
            "mask",
            "is_enabled",
        ]
        labels = {"scope": _("Whose calls"), "is_enabled": _("On")}
        help_texts = {
            "name": _("Who decides about a call reads it, and so does the model where it is forbidden."),
            "scope": _("A rule of an assistant or a key can only be stricter than those for all calls."),
            "approver": _(
                "Staff decide in this console. A caller decides in its own program, and changes nothing."
            ),
            "reason": _("The model is told it where the call is forbidden."),
            "is_enabled": _("Off: it is kept, and nobody asks it."),
        }
        widgets = {"reason": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        when = self.instance.conditions if isinstance(self.instance.conditions, dict) else {}
        if self.instance.pk is None:
            self.initial["effect"] = Effect.ASK
        for name, hint in HINT_FIELDS.items():
            self.initial.setdefault(name, str(when.get("annotations", {}).get(hint, "")).lower())
        if "servers" in self.fields:
            field: Any = self.fields["servers"]
            field.queryset = MCPTool.objects.present().only("pk", "name").order_by("name")
        for name in ("servers", "functions", "labels", "end_users", "expression"):
            if name in when:
                self.initial.setdefault(name, when[name])

    def clean(self) -> dict[str, Any]:
        """Makes the conditions of the choices, and puts them into the row."""
        cleaned = super().clean() or self.cleaned_data
        hints = {hint: cleaned[name] == "true" for name, hint in HINT_FIELDS.items() if cleaned.get(name)}
        given = {
            "servers": sorted(server.pk for server in cleaned.get("servers") or ()),
            "functions": cleaned.get("functions"),
            "labels": cleaned.get("labels"),
            "annotations": hints,
            "end_users": cleaned.get("end_users"),
            "expression": (cleaned.get("expression") or "").strip(),
        }
        cleaned["conditions"] = {name: value for name, value in given.items() if value}
        self.instance.conditions = cleaned["conditions"]
        self._clean_scope(cleaned)
        return cleaned

    def _clean_scope(self, cleaned: dict[str, Any]) -> None:
        """Drops what was chosen before the scope was changed: its field is hidden then."""
        if cleaned.get("scope") != Rule.Scope.ASSISTANT:
            cleaned["assistant"] = None
        elif not cleaned.get("assistant"):
            self.add_error("assistant", _("Choose the assistant whose calls it is for."))
        if cleaned.get("scope") != Rule.Scope.KEY:
            cleaned["api_key"] = None
        elif not cleaned.get("api_key"):
            self.add_error("api_key", _("Choose the key whose calls it is for."))
