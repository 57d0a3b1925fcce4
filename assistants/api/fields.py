"""Serializer fields of the API of assistants."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from assistants.validation import LONGEST_FUNCTION, MOST_FUNCTIONS
from core.api.serializers import NullFreeCharField
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import MASK, UNREADABLE

_ALL = "all"


class RowsField(serializers.ListField):
    """A list of ids, whose validated value is a list of rows. They are read by one query."""

    child = serializers.IntegerField(min_value=1, max_value=2**63 - 1)

    def __init__(self, rows: QuerySet[Any], **options: Any) -> None:
        super().__init__(max_length=1_000, **options)
        self._rows = rows

    def to_internal_value(self, data: Any) -> list[Any]:
        ids = set(super().to_internal_value(data))
        rows = list(self._rows.filter(pk__in=ids))
        if missing := sorted(ids - {row.pk for row in rows}):
            raise serializers.ValidationError(f"There is no {', '.join(map(str, missing))}.")
        return rows


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "enum": [_ALL]},
            {"type": "array", "items": {"type": "string", "maxLength": 255}, "minItems": 1},
        ],
        "default": _ALL,
    }
)
class FunctionsField(serializers.Field[Any, Any, Any, Any]):
    """`all`, whose value is None, or the names of some functions."""

    names = serializers.ListField(
        child=NullFreeCharField(max_length=LONGEST_FUNCTION), allow_empty=False, max_length=MOST_FUNCTIONS
    )

    def to_internal_value(self, data: Any) -> list[str] | None:
        if data == _ALL:
            return None
        if not isinstance(data, list):
            raise serializers.ValidationError("Give 'all', or a list of functions' names.")
        chosen: list[str] = self.names.run_validation(data)
        return list(dict.fromkeys(chosen))

    def get_attribute(self, instance: Any) -> Any:
        return super().get_attribute(instance) or _ALL

    def to_representation(self, value: Any) -> Any:
        return value


class SecretField(NullFreeCharField):
    """A secret, shown as MASK, or as UNREADABLE. A caller that sends that back leaves it unchanged."""

    def to_representation(self, value: Any) -> str:
        if isinstance(value, Unreadable):
            return UNREADABLE
        return MASK if value else ""
