"""Filters of lists."""

from datetime import datetime, time
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date, parse_time
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateTimeFilter


class PeriodFilter(RangeDateTimeFilter):  # type: ignore[misc]
    """From a day, and until one; with times, or whole days. What is no day or time does not filter."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = {"gte": self._bound("from", time.min), "lte": self._bound("to", time.max)}
        given = {f"{self.parameter_name}__{name}": bound for name, bound in bounds.items() if bound}
        return queryset.filter(**given)

    def _bound(self, end: str, time_of_whole_days: time) -> datetime | None:
        day, hour = (self.used_parameters.get(f"{self.parameter_name}_{end}_{part}") or "" for part in (0, 1))
        try:
            date, at = parse_date(day), parse_time(hour) if hour else None
            return make_aware(datetime.combine(date, at or time_of_whole_days)) if date else None
        except (ValueError, OverflowError):
            return None
