import itertools

import pytest

from connector.lifecycle.failures import REMEDIES, Ending, ExitClass, classify
from connector.states import (
    FAILED,
    SERVING,
    TRANSITIONS,
    IllegalTransition,
    Phase,
    Prospect,
    Restarts,
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


def test_staying_is_allowed() -> None:
    assert transition(Phase.READY, Phase.READY) == Phase.READY


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1), (4, 4), (7, 32), (8, 60), (5000, 60)])
def test_backoff_doubles_up_to_a_minute_with_jitter(attempt: int, longest: float) -> None:
    waits = [backoff_s(attempt) for _ in range(200)]
    assert longest / 2 <= min(waits) < max(waits) <= longest
    assert max(waits) - min(waits) > longest / 4


def test_a_minute_of_health_begins_the_backoff_anew() -> None:
    restarts = Restarts()
    for number in range(4):
        restarts.after_exit(now=number * 30.0, lived_s=0)
    assert restarts.after_exit(now=300, lived_s=61)[1] <= 0.5


def test_the_sixth_exit_within_a_minute_is_a_crash_loop() -> None:
    restarts = Restarts()
    outcomes = [restarts.after_exit(now=number * 5.0, lived_s=0) for number in range(6)]
    assert [phase for phase, _ in outcomes] == [Phase.BACKOFF] * 5 + [Phase.CRASH_LOOP]
    assert 240 <= outcomes[-1][1] <= 300


def test_a_remote_server_that_is_away_is_tried_at_least_every_minute() -> None:
    restarts = Restarts()
    outcomes = [restarts.after_exit(Prospect.ABSENT, now=float(number), lived_s=0) for number in range(20)]
    assert {phase for phase, _ in outcomes} == {Phase.BACKOFF}
    assert max(delay for _, delay in outcomes) <= 60


def test_exits_that_lie_apart_are_no_crash_loop() -> None:
    restarts = Restarts()
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


def test_every_exit_class_has_a_remedy_of_one_line() -> None:
    assert REMEDIES.keys() == set(ExitClass)
    assert not [remedy for remedy in REMEDIES.values() if "\n" in remedy or not remedy.endswith(".")]


@pytest.mark.parametrize(
    ("ending", "exit_class"),
    [
        ({"exec_errno": 2}, ExitClass.MISSING_BINARY),
        ({"code": 1, "stderr": "npm error code E404\nnpm error 404 Not Found"}, ExitClass.PACKAGE_NOT_FOUND),
        ({"code": 1, "stderr": "No module named mcp_server_nothing"}, ExitClass.PACKAGE_NOT_FOUND),
        ({"code": 1, "stderr": "Error: GITHUB_TOKEN is required"}, ExitClass.MISSING_VARIABLE),
        ({"code": 1, "stderr": "Missing required variable: BRAVE_API_KEY"}, ExitClass.MISSING_VARIABLE),
        ({"code": 0, "noise": "Usage: server [options]"}, ExitClass.NOISE_ON_STDOUT),
        ({"signal": 6, "stderr": "JavaScript heap out of memory"}, ExitClass.OUT_OF_MEMORY),
        ({"signal": 9}, ExitClass.KILLED),
        ({"code": 1, "stderr": "Traceback"}, ExitClass.CRASHED),
        ({}, ExitClass.KILLED),
    ],
)
def test_an_ending_is_told_from_its_signs(ending: dict[str, object], exit_class: ExitClass) -> None:
    found = classify(Ending("server", "start", 1.0, **ending))  # type: ignore[arg-type]
    assert found.exit_class == exit_class


def test_what_a_server_logged_long_ago_does_not_explain_why_it_ends_now() -> None:
    ending = Ending("server", "run", 99, code=1, stderr="OPTIONAL_KEY is not set, going on without it")
    assert classify(ending).exit_class == ExitClass.CRASHED
