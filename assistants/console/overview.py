"""The overview: what runs, what was asked and how it went, and on a fresh installation what to do next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from assistants.console import first_steps, periods, sums
from assistants.console.charts import BAD, GOOD, SECOND, Chart, Series
from assistants.console.periods import Period
from core.admin.numbers import duration, percent, short, whole
from tools.models import MCPTool, Status

MOST_TOOLS = 5
_COLOURS = ((0.995, "uptime-good"), (0.98, "uptime-fair"), (0.0, "uptime-bad"))
"""Of bars, by the least share of the time."""
_TONES = {
    Status.RUNNING: ("check_circle", "success"),
    Status.DEGRADED: ("warning", "warning"),
    Status.STARTING: ("hourglass_top", "info"),
    Status.ERROR: ("error", "danger"),
    Status.STOPPED: ("stop_circle", "neutral"),
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds what the person may see to the context of the first page: unfold's DASHBOARD_CALLBACK."""
    now, period = timezone.now(), periods.chosen(request.GET.get("period"))
    if request.user.has_perm("tools.view_mcptool"):
        context |= {"servers": _servers(), "uptimes": [_uptime(each, now) for each in periods.UPTIME]}
    if request.user.has_perm("assistants.view_run"):
        context |= _runs(period, now)
    return {
        **context,
        "periods": [
            {"title": each.title, "link": f"?period={each.name}", "active": each is period}
            for each in periods.PERIODS.values()
        ],
        "period": period,
        "steps": first_steps.left(request.user),
    }


def _servers() -> dict[str, Any]:
    counted = MCPTool.objects.present().order_by().values_list("status").annotate(Count("pk"))
    by_status = dict(counted)
    address = reverse("admin:tools_mcptool_changelist")
    states = [
        {
            "word": status.label,
            "count": whole(by_status[status]),
            "icon": icon,
            "tone": tone,
            "url": f"{address}?{urlencode({'status__exact': status})}",
        }
        for status, (icon, tone) in _TONES.items()
        if by_status.get(status)
    ]
    return {"all": whole(sum(by_status.values())), "states": states, "url": address}


def _runs(period: Period, now: datetime) -> dict[str, Any]:
    starts = period.starts(now)
    total, runs = sums.runs(period, now)
    calls = sums.calls(period, now)
    slowest, failing = sums.tools(period, now, most=MOST_TOOLS)
    run_parts = [runs.get(start, sums.RunSums()) for start in starts]
    call_parts = [calls.get(start, sums.CallSums()) for start in starts]
    labels = [period.label(start) for start in starts]
    return {
        "cards": _cards(total, call_parts),
        "charts": [*_run_charts(labels, run_parts), _call_chart(labels, call_parts)],
        "slowest": [_tool(each) for each in slowest],
        "failing": [_tool(each) for each in failing],
        "latest_calls": whole(sums.LATEST) if sum(part.calls for part in call_parts) > sums.LATEST else "",
    }


def _cards(runs: sums.RunSums, calls: list[sums.CallSums]) -> list[dict[str, Any]]:
    made, failed = sum(part.calls for part in calls), sum(part.failed for part in calls)
    of_runs = _("%(count)s failed (%(share)s)") % {
        "count": whole(runs.failed),
        "share": percent(runs.failed, runs.runs),
    }
    of_calls = _("%(count)s failed (%(share)s)") % {"count": whole(failed), "share": percent(failed, made)}
    tokens = _("%(prompt)s read, %(completion)s written") % {
        "prompt": short(runs.prompt_tokens),
        "completion": short(runs.completion_tokens),
    }
    slow = _("95 of 100 within %(time)s") % {"time": duration(runs.first_token_p95)}
    return [
        {"title": _("Runs"), "value": whole(runs.runs), "detail": of_runs, "is_bad": runs.failed},
        {"title": _("Tool calls"), "value": whole(made), "detail": of_calls, "is_bad": failed},
        {
            "title": _("Tokens"),
            "value": short(runs.prompt_tokens + runs.completion_tokens),
            "exact": whole(runs.prompt_tokens + runs.completion_tokens),
            "detail": tokens,
        },
        {"title": _("First token"), "value": duration(runs.first_token_median), "detail": slow},
    ]


def _run_charts(labels: list[str], parts: list[sums.RunSums]) -> list[Chart]:
    went_well = Series(_("Went well"), GOOD, [part.runs - part.failed for part in parts])
    failed = Series(_("Failed"), BAD, [part.failed for part in parts])
    read = Series(_("Read by models"), GOOD, [part.prompt_tokens for part in parts])
    written = Series(_("Written by models"), SECOND, [part.completion_tokens for part in parts])
    median = Series(_("Half within"), GOOD, [part.first_token_median for part in parts])
    most = Series(_("95 of 100 within"), SECOND, [part.first_token_p95 for part in parts])
    return [
        Chart(_("Runs"), labels, [went_well, failed], whole),
        Chart(_("Tokens"), labels, [read, written], whole),
        Chart(_("Time to the first token (ms)"), labels, [median, most], whole, is_line=True),
    ]


def _call_chart(labels: list[str], parts: list[sums.CallSums]) -> Chart:
    went_well = Series(_("Went well"), GOOD, [part.calls - part.failed for part in parts])
    failed = Series(_("Failed"), BAD, [part.failed for part in parts])
    return Chart(_("Tool calls"), labels, [went_well, failed], whole)


def _tool(tool: sums.FunctionSums) -> dict[str, Any]:
    query = urlencode({"tool": f"{tool.server} {tool.function}"})
    return {
        "server": tool.server,
        "function": tool.function,
        "calls": whole(tool.calls),
        "failed": whole(tool.failed),
        "share": percent(tool.failed, tool.calls),
        "mean": duration(tool.mean_ms),
        "url": f"{reverse('admin:assistants_run_changelist')}?{query}",
    }


@dataclass(frozen=True, slots=True)
class _Bar:
    tooltip: str
    color: str


def _uptime(period: Period, now: datetime) -> dict[str, Any]:
    by_start = sums.uptime(period, now)
    bars = [_bar(period.label(start), by_start.get(start)) for start in period.starts(now)]
    known = [each.share for each in by_start.values()]
    outages = sum(each.outages for each in by_start.values())
    return {
        "title": period.title,
        "bars": bars,
        "share": _share(sum(known) / len(known)) if known else "-",
        "outages": whole(outages),
        "rows": [
            (period.label(start), _share(by_start[start].share), whole(by_start[start].outages))
            for start in reversed(period.starts(now))
            if start in by_start
        ],
    }


def _bar(label: str, part: sums.Availability | None) -> _Bar:
    if part is None:
        return _Bar(_("%(time)s: nothing should have run") % {"time": label}, "uptime-unknown")
    colour = next(name for least, name in _COLOURS if part.share >= least)
    words = {"time": label, "share": _share(part.share), "outages": whole(part.outages)}
    return _Bar(_("%(time)s: %(share)s, outages: %(outages)s") % words, colour)


def _share(share: float) -> str:
    """Rounded down: what was not there all the time is not 100 %."""
    return f"{int(share * 10_000) / 100:g} %"
