"""Base classes for serializers."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Unknown fields are refused."""

    # DRF ignores them, and a caller would not learn that a field is misspelt. The docstring is what the
    # OpenAPI document says of serializers without one.

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class NullFreeCharField(serializers.CharField):
    """A text that is stored as it was sent: DRF strips spaces at both ends. Refuses NUL, as DRF does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})
