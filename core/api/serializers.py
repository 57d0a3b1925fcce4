"""Base classes for serializers."""

import copy
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Unknown fields are refused."""

    # DRF ignores them, and a caller would not learn that a field is misspelt. The docstring is what the
    # OpenAPI document says of serializers without one.

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(self.parent, serializers.ListSerializer) and self.root.partial:
            return self._whole().to_internal_value(data)
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)

    def _whole(self) -> "StrictSerializer":
        """Returns a copy for an item of a list, which is never partial.

        Such an item takes the place of what was in the list: it needs its required fields and gets its
        defaults. DRF's fields ask their root whether it is partial; the copy is its own root. A nested object
        that is no item of a list is partial as its row is.
        """
        whole = copy.deepcopy(self)
        whole._context = self.context  # noqa: SLF001 - deepcopy makes a new serializer, without its parent's
        return whole


class NullFreeCharField(serializers.CharField):
    """A text that is stored as it was sent: DRF strips spaces at both ends. Refuses NUL, as DRF does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})
