"""The parts that watch a worker, without one."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from connector.supervisor.queue_probe import Echoes
from connector.supervisor.rebalancer import surplus
from connector.supervisor.watchdog import Watchdog


@pytest.fixture
def watch() -> Iterator[Callable[..., list[str]]]:
    """The bites of a watchdog on a pulse."""
    dogs: list[Watchdog] = []

    def start(pulse: Callable[[], int | None], bitten: threading.Event) -> list[str]:
        bites: list[str] = []

        def bite(reason: str) -> None:
            bites.append(reason)
            bitten.set()

        dogs.append(Watchdog(pulse, patience_s=0.2, bite=bite))
        dogs[-1].start()
        return bites

    yield start
    for dog in dogs:
        dog.call_off()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: Any) -> None:
    monkeypatch.setattr("connector.supervisor.watchdog.TICK_S", 0.02)


def test_a_pulse_that_stops_is_noticed_once(watch: Any) -> None:
    bitten = threading.Event()
    bites = watch(lambda: 7, bitten)
    assert bitten.wait(2)
    assert not threading.Event().wait(0.5)
    assert bites == ["The supervisor's loop has not turned for 0.2 s."]


def test_a_pulse_that_goes_on_is_left_alone(watch: Any) -> None:
    pulse, bitten = count(), threading.Event()
    watch(lambda: next(pulse), bitten)
    assert not bitten.wait(0.6)


def test_a_supervisor_that_ended_as_it_should_is_left_alone(watch: Any) -> None:
    bitten = threading.Event()
    watch(lambda: None, bitten)
    assert not bitten.wait(0.6)


def test_silence_counts_from_the_first_message_that_was_not_heard() -> None:
    echoes = Echoes(30)
    echoes.sent(0)
    echoes.heard()
    echoes.sent(100)
    echoes.sent(125)
    assert not echoes.is_deaf(129)
    assert echoes.is_deaf(130)


def test_a_broker_that_is_away_says_nothing_about_the_worker() -> None:
    echoes = Echoes(30)
    for now in range(0, 10_000, 5):
        echoes.not_sent()
        assert not echoes.is_deaf(now)


def test_after_an_outage_the_worker_gets_time_to_connect_again() -> None:
    echoes = Echoes(30, reconnecting_s=35)
    echoes.not_sent()
    echoes.sent(0)
    assert not echoes.is_deaf(64)
    assert echoes.is_deaf(65)
    echoes.heard()
    echoes.sent(100)
    assert echoes.is_deaf(130)


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
def test_only_an_imbalance_over_a_third_is_evened_out(
    held: int, slots: int, workers: int, expected: int
) -> None:
    assert surplus(held=held, slots=slots, workers=workers) == expected
