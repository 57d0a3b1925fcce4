"""Phases, restarts, and the status that follows from them."""

import itertools

import pytest

from connector.states import (
    FAILED,
    SERVING,
    TRANSITIONS,
    IllegalTransition,
    Phase,
    RestartPolicy,
    RestartSchedule,
    backoff_s,
    derive_status,
    transition,
)
from tools.models import Status


def test_every_phase_can_be_left_and_reached() -> None:
    assert TRANSITIONS.keys() == set(Phase)
    assert set(itertools.chain.from_iterable(TRANSITIONS.values())) == set(Phase)


def test_a_server_does_not_become_ready_without_starting() -> None:
    with pytest.raises(IllegalTransition):
        transition(Phase.BACKOFF, Phase.READY)


def test_a_phase_may_stay_the_same() -> None:
    assert transition(Phase.READY, Phase.READY) == Phase.READY


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1), (4, 4), (7, 32), (8, 60), (5000, 60)])
def test_backoff_doubles_up_to_a_minute_with_jitter(attempt: int, longest: float) -> None:
    waits = [backoff_s(attempt) for _ in range(200)]
    assert longest / 2 <= min(waits) < max(waits) <= longest
    assert max(waits) - min(waits) > longest / 4


def test_a_minute_of_health_resets_the_backoff() -> None:
    restarts = RestartSchedule()
    for number in range(4):
        restarts.after_exit(now=number * 30.0, lived_s=0)
    assert restarts.after_exit(now=300, lived_s=61)[1] <= 0.5


def test_the_sixth_exit_within_a_minute_is_a_crash_loop() -> None:
    restarts = RestartSchedule()
    outcomes = [restarts.after_exit(now=number * 5.0, lived_s=0) for number in range(6)]
    assert [phase for phase, _ in outcomes] == [Phase.BACKOFF] * 5 + [Phase.CRASH_LOOP]
    assert 240 <= outcomes[-1][1] <= 300


def test_an_unreachable_server_is_retried_at_least_every_minute() -> None:
    restarts = RestartSchedule()
    outcomes = [
        restarts.after_exit(RestartPolicy.UNREACHABLE, now=float(number), lived_s=0) for number in range(20)
    ]
    assert {phase for phase, _ in outcomes} == {Phase.BACKOFF}
    assert max(delay for _, delay in outcomes) <= 60


def test_a_forgotten_session_is_renewed_at_once_the_first_time() -> None:
    restarts = RestartSchedule()
    delays = [restarts.after_exit(RestartPolicy.NEW_SESSION, now=number, lived_s=0)[1] for number in range(2)]
    assert delays[0] == 0
    assert delays[1] > 0


def test_a_server_that_needs_a_change_is_rarely_retried() -> None:
    assert RestartSchedule().after_exit(RestartPolicy.NEEDS_CHANGE, now=0, lived_s=0)[1] >= 240


def test_exits_far_apart_are_no_crash_loop() -> None:
    restarts = RestartSchedule()
    outcomes = [restarts.after_exit(now=number * 13.0, lived_s=0)[0] for number in range(20)]
    assert set(outcomes) == {Phase.BACKOFF}


@pytest.mark.parametrize(
    ("wanted", "replicas", "phases", "status"),
    [
        (False, 1, [], Status.STOPPED),
        (False, 1, [Phase.STOPPING], Status.RUNNING),
        (True, 1, [], Status.STARTING),
        (True, 1, [Phase.CLAIMED], Status.STARTING),
        (True, 1, [Phase.READY], Status.RUNNING),
        (True, 1, [Phase.DEGRADED], Status.DEGRADED),
        (True, 2, [Phase.READY], Status.DEGRADED),
        (True, 2, [Phase.READY, Phase.CRASH_LOOP], Status.DEGRADED),
        (True, 2, [Phase.STARTING, Phase.BACKOFF], Status.ERROR),
    ],
)
def test_the_status_follows_from_the_phases(
    wanted: bool, replicas: int, phases: list[Phase], status: Status
) -> None:
    assert derive_status(wanted=wanted, replicas=replicas, phases=phases) == status


def test_no_phase_both_serves_and_has_failed() -> None:
    assert not SERVING & FAILED
