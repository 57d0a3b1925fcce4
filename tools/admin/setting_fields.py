"""Form fields of a server: arguments one a line, variables and headers as rows of name and value."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextareaWidget

from tools.validation import MOST_ARGS, MOST_VARIABLES

Pair = tuple[str, str]


class ArgumentsField(forms.Field):
    """One argument a line. One with a line break, or blanks at its ends, is written as a JSON string."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false", "class": "font-mono"})

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(_line, value)) if isinstance(value, list) else value

    def to_python(self, value: str | None) -> list[str]:
        lines = [line for line in (value or "").splitlines() if line.strip()]
        if len(lines) > MOST_ARGS:
            raise ValidationError(_("At most %d arguments.") % MOST_ARGS)
        return [_argument(line) for line in lines]

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or []) != self.to_python(data))
        except ValidationError:
            return True


def _line(argument: str) -> str:
    is_plain = (
        argument == argument.strip() and argument and argument[0] != '"' and len(argument.splitlines()) == 1
    )
    return argument if is_plain else json.dumps(argument, ensure_ascii=False)


def _argument(line: str) -> str:
    if line.lstrip().startswith('"'):
        try:
            parsed = json.loads(line)
        except ValueError:  # an argument that happens to begin with a quotation mark
            return line.strip()
        if isinstance(parsed, str):
            return parsed
    return line.strip()


class PairsWidget(forms.Widget):
    """Rows of a name and a value, and an empty one to add; servers.js adds more.

    Sent as two lists, `<field>-name` and `<field>-value`. A stored value is shown as its mask.
    """

    template_name = "console/widgets/pairs.html"

    def __init__(self, labels: tuple[Any, Any]) -> None:
        super().__init__()
        self.labels = labels

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        read = data.getlist if isinstance(data, QueryDict) else lambda key: data.get(key, [])
        return list(zip(read(f"{name}-name"), read(f"{name}-value"), strict=False))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-name" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        rows = list(value.items()) if isinstance(value, Mapping) else list(value or [])
        # Without Alpine's binding, which unfold gives to every widget of a form with conditions: there are
        # many inputs here.
        kept = {key: each for key, each in self.attrs.items() if not key.startswith("x-")}
        self.attrs = kept
        context = super().get_context(name, None, attrs)
        context["widget"] |= {
            "rows": [*rows, ("", "")],
            "labels": self.labels,
            "input_classes": " ".join(INPUT_CLASSES),
            "most": MOST_VARIABLES,
        }
        return context

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # Not by the renderer of forms, which knows no templates of the project.
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return f"{id_}_0"


class PairsField(forms.Field):
    """A mapping of texts. A row without a name and without a value does not count."""

    def __init__(self, labels: tuple[Any, Any], **options: Any) -> None:
        super().__init__(required=False, widget=PairsWidget(labels), **options)

    def to_python(self, value: Sequence[Pair] | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, text in value or []:
            key = name.strip()
            if not key and not text:
                continue
            if not key:
                raise ValidationError(_("A value has no name: name it, or remove its row."))
            if key in found:
                raise ValidationError(_("%(name)s stands there twice.") % {"name": key[:64]})
            found[key] = text
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True
