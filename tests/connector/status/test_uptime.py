"""Uptime figures, from the changes of a server's status."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connector.status.uptime import uptime
from tools.models import Status

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def figures(*changes: tuple[float, Status], since: float = 0, until: float = 24) -> Any:
    return uptime([(at(hour), status) for hour, status in changes], since=at(since), until=at(until))


def hours(found: Any) -> dict[Status, float]:
    return {status: seconds / 3600 for status, seconds in found.seconds.items() if seconds}


def test_nothing_is_known_before_the_first_change() -> None:
    assert (figures().availability, figures().outages) == (None, 0)
    found = figures((18, Status.RUNNING))
    assert (found.availability, hours(found)) == (1.0, {Status.RUNNING: 6})


def test_the_status_before_the_window_counts_from_its_beginning() -> None:
    found = figures((-100, Status.ERROR), (-5, Status.RUNNING), (6, Status.ERROR))
    assert hours(found) == {Status.RUNNING: 6, Status.ERROR: 18}
    assert (found.availability, found.outages) == (0.25, 1)


def test_degraded_is_available_and_starting_is_not() -> None:
    found = figures((0, Status.STARTING), (6, Status.DEGRADED), (12, Status.RUNNING))
    assert (found.availability, found.outages) == (0.75, 0)


def test_a_server_that_should_not_run_has_no_downtime() -> None:
    found = figures((0, Status.RUNNING), (12, Status.STOPPED))
    assert (found.availability, found.outages) == (1.0, 0)
    assert figures((0, Status.STOPPED)).availability is None


def test_outages_of_the_window_count() -> None:
    ups_and_downs = [(hour, Status.ERROR if hour % 2 else Status.RUNNING) for hour in range(-10, 24)]
    found = figures(*ups_and_downs)
    assert (found.outages, found.availability) == (12, 0.5)


def test_nothing_after_the_window_counts() -> None:
    found = figures((0, Status.RUNNING), (30, Status.ERROR), until=24)
    assert (hours(found), found.outages) == ({Status.RUNNING: 24}, 0)


def test_the_wait_for_a_first_worker_is_no_downtime() -> None:
    changes = [(at(0), Status.STARTING), (at(6), Status.RUNNING), (at(12), Status.STARTING)]
    found = uptime(changes, since=at(0), until=at(18), unclaimed={at(0)})
    assert (found.availability, hours(found)[Status.STARTING]) == (0.5, 12)
    assert uptime(changes[:1], since=at(0), until=at(18), unclaimed={at(0)}).availability is None
