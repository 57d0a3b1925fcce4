"""Beat's times: they are kept in memory, and a clock that is set back does not stop the periodic tasks."""

import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from celery import Celery

from config.scheduler import Scheduler
from config.task_logs import Lateness

EVERY_S = {"often": 10.0, "seldom": 600.0}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def forward(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What Celery takes for the present time."""
    clock = Clock()
    monkeypatch.setattr(Celery, "now", lambda _: clock.now)
    return clock


@pytest.fixture
def sent(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(Scheduler, "apply_async", lambda _, entry, **__: sent.append(entry.name))
    return sent


@pytest.fixture
def beat(sent: list[str]) -> Scheduler:
    app = Celery("beat", set_as_current=False, broker="memory://")
    app.conf.beat_schedule = {name: {"task": name, "schedule": seconds} for name, seconds in EVERY_S.items()}
    return Scheduler(app=app)


def tick(beat: Scheduler, clock: Clock, *, seconds: int) -> None:
    """Lives through so many seconds, a tick at a time."""
    until = clock.now + timedelta(seconds=seconds)
    while clock.now < until:
        clock.forward(max(beat.tick(), 0.1))


def test_tasks_are_sent_at_their_intervals(beat: Scheduler, clock: Clock, sent: list[str]) -> None:
    tick(beat, clock, seconds=605)
    assert 59 <= sent.count("often") <= 60
    assert sent.count("seldom") == 1


@pytest.mark.parametrize("seconds", [3600, 30])
def test_a_clock_that_was_set_back_delays_a_task_by_an_interval_at_most(
    beat: Scheduler, clock: Clock, sent: list[str], seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    tick(beat, clock, seconds=300)
    sent.clear()
    clock.forward(-seconds)
    tick(beat, clock, seconds=605)
    assert sent.count("often") >= 59
    assert sent.count("seldom") == 1
    assert [record.getMessage() for record in caplog.records].count(
        "The clock was set back: periodic tasks go by what it shows now."
    ) == 1


def test_a_clock_that_was_set_forward_sends_what_is_due_once(
    beat: Scheduler, clock: Clock, sent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    tick(beat, clock, seconds=25)
    sent.clear()
    clock.forward(3600)
    tick(beat, clock, seconds=5)
    assert sorted(sent) == ["often", "seldom"]
    assert not caplog.records


def test_tasks_that_come_too_late_are_told_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    request: Any = type("Request", (), {"task": "connector.tasks.check"})
    late = Lateness()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            late.tell(request, expired=True)
        late.tell(request, expired=False)
    (record,) = caplog.records
    assert "connector.tasks.check came too late" in record.getMessage()
    assert "clock" in record.getMessage()


def test_tasks_of_the_same_interval_are_not_due_at_once(sent: list[str], clock: Clock) -> None:
    app = Celery("beat", set_as_current=False, broker="memory://")
    app.conf.beat_schedule = {name: {"task": name, "schedule": 10.0} for name in "abcd"}
    beat, moments, until = Scheduler(app=app), [], clock.now + timedelta(seconds=60)
    while clock.now < until:
        clock.forward(max(beat.tick(), 0.01))
        moments += [clock.now] * (len(sent) - len(moments))
    assert sent.count("a") in {5, 6}
    assert min(later - moment for moment, later in pairwise(moments)) > timedelta(seconds=0.4)
