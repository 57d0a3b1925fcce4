import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.runner import supervisor
from config.runner.processes import Running, StartFailed
from config.runner.supervisor import Supervisor
from tests.config.runner.programs import IGNORES_SIGTERM, SLEEPS, python


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Leaving a supervisor makes its process ignore signals: this restores the handlers."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "POLL_S", 0.02)
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.05, 0.1))
    monkeypatch.setattr(supervisor, "STOP_PROCESSES_S", 0.5)


def starts(log: Path) -> int:
    return log.read_text().count("here\n") if log.exists() else 0


def test_it_starts_a_child_again_that_died(tmp_path: Path):
    reported: list[str] = []
    log = tmp_path / "child.log"
    with Supervisor(tmp_path, reported.append) as children:
        children.start(python("print('here')"))
        assert children.tend(until=lambda: starts(log) == 2, timeout_s=30)
    assert reported[0] == "child ended with status 0 and is started again"


def test_it_gives_up_on_a_child_that_keeps_dying(tmp_path: Path):
    with Supervisor(tmp_path, lambda line: None) as children:
        children.start(python("raise SystemExit('broken')"))
        with pytest.raises(
            StartFailed, match=r"child keeps ending, see .*child.log. Its last words:\nbroken"
        ):
            children.tend(timeout_s=30)


def test_it_reports_the_warnings_of_its_children(tmp_path: Path):
    reported: list[str] = []
    with Supervisor(tmp_path, reported.append) as children:
        children.start(python(f"print('WARNING: careful', flush=True); {SLEEPS}"))
        children.tend(until=lambda: bool(reported), timeout_s=30)
    assert reported == ["child: WARNING: careful"]


def test_it_stops_all_children_in_the_time_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stopped: list[Running] = []
    monkeypatch.setattr(supervisor, "STOP_PROCESSES_S", 3)
    monkeypatch.setattr(supervisor, "_stop", recording(supervisor._stop, stopped))
    with Supervisor(tmp_path, lambda line: None) as children:
        for number in range(3):
            children.start(python(IGNORES_SIGTERM, name=f"stubborn-{number}"))
        children.tend(until=lambda: all_on(tmp_path), timeout_s=30)
        began = time.monotonic()
    assert time.monotonic() - began < 2 * 3
    assert [running.popen.returncode for running in stopped] == [-signal.SIGKILL] * 3


def all_on(logs: Path) -> bool:
    return [path.read_text() for path in logs.glob("stubborn-*.log")] == ["on\n"] * 3


def recording(stop, stopped: list[Running]):
    def wrapper(children, *, deadline: float) -> None:
        stopped.extend(child.running for child in children)
        stop(children, deadline=deadline)

    return wrapper


def test_a_child_that_has_lived_for_long_is_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "BACKOFF_S", (60,))
    monkeypatch.setattr(supervisor, "STEADY_S", 0)
    with Supervisor(tmp_path, lambda line: None) as children:
        children.start(python("print('here')"))
        assert children.tend(until=lambda: starts(tmp_path / "child.log") == 2, timeout_s=30)
