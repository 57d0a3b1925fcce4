"""Sums over runs, tool calls and states of servers, for charts: one statement each, whatever their number.

The first two are answered by an index alone (`run_sums`, `toolcall_sums`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from assistants.console.periods import Period

LATEST = 50_000
"""Of more calls, the slowest and the most failing tools are sought among the latest."""

_RUNS = """
    SELECT date_bin(%(part)s, started_at, %(since)s) AS start,
        count(*), count(*) FILTER (WHERE status = 'failed'),
        sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY first_token_ms),
        percentile_disc(0.95) WITHIN GROUP (ORDER BY first_token_ms)
    FROM assistants_run WHERE started_at >= %(since)s GROUP BY GROUPING SETS ((start), ())
"""
_CALLS = """
    SELECT date_bin(%(part)s, started_at, %(since)s) AS start,
        count(*), count(*) FILTER (WHERE status = 'error')
    FROM assistants_toolcall WHERE started_at >= %(since)s GROUP BY start
"""
_TOOLS = """
    WITH latest AS (
        SELECT server, function, status, duration_ms FROM assistants_toolcall
        WHERE started_at >= %(since)s ORDER BY started_at DESC LIMIT %(latest)s
    ), sums AS MATERIALIZED (
        SELECT server, function, count(*) AS calls, count(*) FILTER (WHERE status = 'error') AS failed,
            avg(duration_ms)::bigint AS mean_ms
        FROM latest GROUP BY server, function
    )
    (SELECT 'slowest', sums.* FROM sums WHERE mean_ms > 0 ORDER BY mean_ms DESC LIMIT %(most)s)
    UNION ALL
    (SELECT 'failing', sums.* FROM sums WHERE failed > 0 ORDER BY failed DESC, calls LIMIT %(most)s)
"""
# Servers serve calls nearly all the time: only what they did not is spread over the parts of the period.
_UPTIME = """
    WITH spans AS (
        SELECT change.status, server_id, at,
            lead(at, 1, %(now)s) OVER changes AS ended, lag(change.status) OVER changes AS before
        FROM connector_statechange AS change JOIN tools_mcptool AS server ON server.id = server_id
        WHERE deleted_at IS NULL
        WINDOW changes AS (PARTITION BY server_id ORDER BY at, change.id)
    ), servers AS (
        SELECT server_id, min(at) AS at FROM spans GROUP BY server_id
    ), gaps AS (
        SELECT status IN ('error', 'starting') AS is_down, before IN ('running', 'degraded') AS was_up,
            at, ended, greatest(at, %(since)s) AS begun
        FROM spans WHERE ended > %(since)s AND ended > at AND status NOT IN ('running', 'degraded')
        UNION ALL
        SELECT false, false, NULL, at, %(since)s FROM servers WHERE at > %(since)s
    ), parts AS (
        SELECT start, sum(seconds) FILTER (WHERE is_down) AS down, sum(seconds) AS gone,
            count(*) FILTER (WHERE is_down AND was_up AND at >= start) AS outages
        FROM gaps
        CROSS JOIN LATERAL
            generate_series(date_bin(%(part)s, begun, %(since)s), ended - '1us'::interval, %(part)s) AS start
        CROSS JOIN LATERAL
            extract(epoch FROM least(ended, start + %(part)s) - greatest(begun, start)) AS seconds
        GROUP BY start
    )
    SELECT start, coalesce(down, 0), coalesce(outages, 0),
        (SELECT count(*) FROM servers) * extract(epoch FROM least(%(now)s, start + %(part)s) - start)
            - coalesce(gone, 0) AS up
    FROM generate_series(%(since)s, %(now)s, %(part)s) AS start LEFT JOIN parts USING (start)
"""


@dataclass(frozen=True, slots=True)
class RunSums:
    """Runs of one part of a period, or of all of it. First tokens are in milliseconds; None without any."""

    runs: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_median: int | None = None
    first_token_p95: int | None = None


@dataclass(frozen=True, slots=True)
class CallSums:
    calls: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class FunctionSums:
    """The calls of a tool; `mean_ms` is how long one took."""

    server: str
    function: str
    calls: int
    failed: int
    mean_ms: int | None

    @property
    def failed_percent(self) -> int:
        return round(100 * self.failed / self.calls)


@dataclass(frozen=True, slots=True)
class Availability:
    """Of the time that all servers should have run, the share (0 to 1) in which they served calls.

    `outages`: how often one of them ceased to.
    """

    share: float
    outages: int


def runs(period: Period, now: datetime) -> tuple[RunSums, dict[datetime, RunSums]]:
    """Returns the sums of the period, and those of its parts that have runs, by their begin."""
    rows = _rows(_RUNS, period, now)
    sums = {
        start: RunSums(count, failed, prompt or 0, completion or 0, *times)
        for start, count, failed, prompt, completion, *times in rows
    }
    return sums.pop(None, RunSums()), sums


def calls(period: Period, now: datetime) -> dict[datetime, CallSums]:
    """Returns the calls of servers' tools in those parts of the period that have any, by their begin."""
    return {start: CallSums(*sums) for start, *sums in _rows(_CALLS, period, now)}


def tools(period: Period, now: datetime, *, most: int) -> tuple[list[FunctionSums], list[FunctionSums]]:
    """Returns the slowest and the most failing tools among the period's latest LATEST calls."""
    slowest: list[FunctionSums] = []
    failing: list[FunctionSums] = []
    for kind, *sums in _rows(_TOOLS, period, now, most=most, latest=LATEST):
        (slowest if kind == "slowest" else failing).append(FunctionSums(*sums))
    return slowest, failing


def uptime(period: Period, now: datetime) -> dict[datetime, Availability]:
    """Returns the availability of all servers in each part in which one should have run."""
    found = {}
    for start, down, outages, up in _rows(_UPTIME, period, now):
        if up + down > 0:
            found[start] = Availability(float(up / (up + down)), outages)
    return found


def _rows(statement: str, period: Period, now: datetime, **more: Any) -> Sequence[tuple[Any, ...]]:
    values = {"part": period.part, "since": period.since(now), "now": now, **more}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
