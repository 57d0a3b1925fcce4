"""The watchdog, the deadline of canary messages and the surplus of a worker, each by itself."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from connector.supervisor.broker_check import CanaryDeadline
from connector.supervisor.rebalancer import surplus
from connector.supervisor.watchdog import Watchdog


@pytest.fixture
def watch() -> Iterator[Callable[..., list[str]]]:
    """Starts a watchdog; returns the list of the stalls that it reports."""
    watchdogs: list[Watchdog] = []

    def start(heartbeats: Callable[[], int | None], reported: threading.Event) -> list[str]:
        stalls: list[str] = []

        def on_stall(reason: str) -> None:
            stalls.append(reason)
            reported.set()

        watchdogs.append(Watchdog(heartbeats, deadline_s=0.2, on_stall=on_stall))
        watchdogs[-1].start()
        return stalls

    yield start
    for watchdog in watchdogs:
        watchdog.cancel()


@pytest.fixture(autouse=True)
def fast_ticks(monkeypatch: Any) -> None:
    monkeypatch.setattr("connector.supervisor.watchdog.TICK_S", 0.02)


def test_a_stall_is_reported_once(watch: Any) -> None:
    reported = threading.Event()
    stalls = watch(lambda: 7, reported)
    assert reported.wait(15)
    assert not threading.Event().wait(0.5)
    assert stalls == ["The supervisor's loop has not turned for 0.2 s."]


def test_heartbeats_are_no_stall(watch: Any) -> None:
    heartbeats, reported = count(), threading.Event()
    watch(lambda: next(heartbeats), reported)
    assert not reported.wait(0.6)


def test_a_supervisor_that_has_ended_is_no_stall(watch: Any) -> None:
    reported = threading.Event()
    watch(lambda: None, reported)
    assert not reported.wait(0.6)


def test_a_canary_is_overdue_from_the_first_missing_one() -> None:
    canary = CanaryDeadline(30)
    canary.sent(0)
    canary.received()
    canary.sent(100)
    canary.sent(125)
    assert not canary.is_overdue(129)
    assert canary.is_overdue(130)


def test_no_canary_is_overdue_while_the_broker_is_away() -> None:
    canary = CanaryDeadline(30)
    for now in range(0, 10_000, 5):
        canary.send_failed()
        assert not canary.is_overdue(now)


def test_after_an_outage_the_worker_has_time_to_reconnect() -> None:
    canary = CanaryDeadline(30, reconnect_s=35)
    canary.send_failed()
    canary.sent(0)
    assert not canary.is_overdue(64)
    assert canary.is_overdue(65)
    canary.received()
    canary.sent(100)
    assert canary.is_overdue(130)


@pytest.mark.parametrize(
    ("held", "slots", "workers", "expected"),
    [
        (6, 6, 1, 0),
        (6, 6, 2, 3),
        (4, 6, 2, 0),
        (5, 6, 2, 2),
        (2, 2, 2, 1),
        (1, 1, 2, 0),
        (67, 200, 4, 17),
        (66, 200, 4, 0),
        (0, 0, 0, 0),
    ],
)
def test_only_an_imbalance_over_a_third_is_a_surplus(
    held: int, slots: int, workers: int, expected: int
) -> None:
    assert surplus(held=held, slots=slots, workers=workers) == expected
