"""The page Usage, and the same as a CSV file: runs, tokens and calls by key, assistant, model and day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assistants.models import Run, RunKind
from assistants.models.runs import USAGE_DAYS, USAGE_GROUPS, usage_groups
from core.admin.csv_download import csv_download
from core.admin.numbers import percent, whole
from core.admin.views import ConsolePage

DAYS = (7, USAGE_DAYS, 90)
PER_PAGE = 50
_GROUPS = {
    "api_key": (gettext_lazy("Key"), "current_name"),
    "assistant": (gettext_lazy("Assistant"), "current_slug"),
    "model": (gettext_lazy("Model"), "model"),
    "kind": (gettext_lazy("Kind"), "kind"),
    "end_user": (gettext_lazy("End user"), "end_user"),
    "day": (gettext_lazy("Day"), "day"),
}
"""The heading of each group, and the column of `RunQuerySet.usage` that is shown."""
_SUMS = ("runs", "failed_runs", "prompt_tokens", "completion_tokens", "total_tokens", "server_tool_calls")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person chose: groups, at least one, and a number of days. Other values are the default."""

    groups: list[str]
    days: int

    @classmethod
    def of(cls, request: HttpRequest) -> "_Asked":
        try:
            groups = usage_groups(",".join(request.GET.getlist("by")) or "api_key")
        except ValueError:
            groups = ["api_key"]
        days = request.GET.get("days", "")
        return cls(groups, int(days) if days in map(str, DAYS) else USAGE_DAYS)

    @property
    def rows(self) -> QuerySet[Any, dict[str, Any]]:
        return Run.objects.since(timezone.now() - timedelta(days=self.days)).usage(self.groups)

    @property
    def query(self) -> str:
        return urlencode([*(("by", group) for group in self.groups), ("days", self.days)])


class UsagePage(ConsolePage):
    title = gettext_lazy("Usage")
    template_name = "console/usage.html"
    permission_required = "assistants.view_run"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = _Asked.of(self.request)
        rows = list(asked.rows)  # summed for the totals anyway
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("p"))
        return super().get_context_data(
            groups=[
                {"name": name, "title": _GROUPS[name][0], "is_chosen": name in asked.groups}
                for name in USAGE_GROUPS
            ],
            days=[{"number": number, "is_chosen": number == asked.days} for number in DAYS],
            headers=[_GROUPS[name][0] for name in asked.groups],
            rows=[(_names(row, asked.groups), _shown(row)) for row in page],
            totals=_shown({name: sum(row[name] or 0 for row in rows) for name in _SUMS}),
            page=page,
            query=asked.query,
            **kwargs,
        )


class UsageCsv(UsagePage):
    """The same rows, all of them, as a file."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> StreamingHttpResponse:  # type: ignore[override]
        asked = _Asked.of(request)
        header = [*asked.groups, *_SUMS]
        return csv_download(request, "usage.csv", header, _lines(asked))


def _lines(asked: _Asked) -> Iterator[Sequence[Any]]:
    columns = [_GROUPS[name][1] for name in asked.groups]
    for row in asked.rows.iterator():
        yield [row[column] for column in (*columns, *_SUMS)]


def _names(row: dict[str, Any], groups: Sequence[str]) -> list[str]:
    return [_name(name, row[_GROUPS[name][1]]) for name in groups]


def _name(group: str, value: Any) -> str:
    match group:
        case "day":
            return date_format(value, "Y-m-d")
        case "kind":
            return str(RunKind(value).label)
    return str(value) or "-"  # a call of a tool has no model, and one of a server's own no assistant


def _shown(row: dict[str, Any]) -> list[str]:
    failed = _("%(count)s (%(share)s)") % {
        "count": whole(row["failed_runs"]),
        "share": percent(row["failed_runs"], row["runs"]),
    }
    read, written = row["prompt_tokens"] or 0, row["completion_tokens"] or 0
    numbers = (read, written, read + written, row["server_tool_calls"] or 0)
    return [whole(row["runs"]), failed, *map(whole, numbers)]
