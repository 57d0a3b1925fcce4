"""What runs used, summed."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from assistants.models import Run, RunStatus

GROUPS: dict[str, dict[str, Any]] = {
    "api_key": {
        "api_key_id": None,
        "current_name": Coalesce("api_key__name", "api_key_name"),
        "current_prefix": Coalesce("api_key__key_prefix", "key_prefix"),
    },
    "assistant": {
        "assistant_id": None,
        "current_slug": Coalesce("assistant__slug", "assistant_slug"),
    },
    "model": {"model": None},
    "day": {"day": TruncDate("started_at", tzinfo=UTC)},
}
"""The columns of each; None: a field of the run. Keys and assistants go by their names of today."""


def summed(runs: QuerySet[Run], groups: Iterable[str]) -> QuerySet[Any, dict[str, Any]]:
    """A row for each group of `runs`. `groups` are keys of GROUPS."""
    columns = {name: column for group in groups for name, column in GROUPS[group].items()}
    named = runs.annotate(**{name: column for name, column in columns.items() if column is not None})
    rows: QuerySet[Any, dict[str, Any]] = (
        named.order_by()
        .values(*columns)
        .annotate(
            runs=Count("pk"),
            failed_runs=Count("pk", filter=Q(status=RunStatus.FAILED)),
            prompt_tokens=Sum("prompt_tokens"),
            completion_tokens=Sum("completion_tokens"),
            server_tool_calls=Sum("server_tool_calls"),
        )
    )
    rows = rows.annotate(total_tokens=F("prompt_tokens") + F("completion_tokens"))
    return rows.order_by("-day" if "day" in columns else "-total_tokens", *columns)
