"""Form fields of the admin."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from core import strict_json
from core.errors import InvalidRequest

INVALID = (
    "Enter valid JSON: without duplicate keys, NUL characters, broken Unicode, NaN, and very deep nesting."
)


class JSONField(forms.JSONField):
    """JSON as strict as that of the REST API.

    Django's own field takes what PostgreSQL does not store (NaN, lone surrogates), and fails on deep nesting
    and on numbers of thousands of digits.
    """

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value not in self.empty_values:
            return _parsed(value)
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        if self.disabled or not isinstance(data, str):
            return super().bound_data(data, initial)
        try:
            return _parsed(data)
        except ValidationError:
            return InvalidJSONInput(data)


def _parsed(text: str) -> Any:
    try:
        # In an object, which is what the parser takes.
        parsed = strict_json.loads(f'{{"value": {text}\n}}'.encode())
    except InvalidRequest as error:
        raise ValidationError(INVALID, code="invalid") from error
    if parsed.keys() != {"value"}:  # the text has ended that object, or added to it
        raise ValidationError(INVALID, code="invalid")
    return parsed["value"]
