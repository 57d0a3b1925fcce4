"""Filters of lists that refuse values on which the database would fail."""

from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field

LARGEST_ID = 2**63 - 1


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
class IdFilter(django_filters.Filter):
    """An id from 1 to LARGEST_ID, the largest that PostgreSQL stores."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_ID, **kwargs})


class TimeField(IsoDateTimeField):
    """A time that can be converted to UTC: `0001-01-01T00:00:00+01:00` cannot."""

    def clean(self, value: Any) -> Any:
        time = super().clean(value)
        try:
            return time and time.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError("Give a time of the years 1 to 9999.") from None


class TimeFilter(django_filters.IsoDateTimeFilter):
    """A time in ISO 8601; without an offset it is in UTC."""

    field_class = TimeField
