import logging
import warnings

import pytest
from celery.exceptions import CPendingDeprecationWarning, WorkerShutdown
from celery.worker import state
from celery.worker.consumer import Consumer

from config import consumer
from config.consumer import QuietConsumer
from core.refused_writes import SnapshotsFail


def test_a_lost_connection_is_no_reason_to_warn_of_celerys_next_version(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def lose(consumer: Consumer, exc: Exception) -> None:
        logging.getLogger("celery").warning("lost: %s", exc)
        warnings.warn("the next version cancels tasks", CPendingDeprecationWarning, stacklevel=2)

    monkeypatch.setattr(Consumer, "on_connection_error_after_connected", lose)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", CPendingDeprecationWarning)
        QuietConsumer.__new__(QuietConsumer).on_connection_error_after_connected(OSError("gone"))
    assert warned == []
    assert "lost: OSError" in caplog.text


def test_a_broker_that_takes_no_writes_is_waited_for_and_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Celery's own asks again at once, with a line each time."""
    slept: list[float] = []
    monkeypatch.setattr(consumer, "PAUSE_S", 0.2)
    monkeypatch.setattr(consumer.time, "sleep", slept.append)
    waiting = QuietConsumer.__new__(QuietConsumer)
    for _ in range(3):
        waiting.on_connection_error_before_connected(SnapshotsFail("no"))
    assert slept
    (record,) = caplog.records
    assert "takes no writes, because its last snapshot failed. Its log says why" in record.getMessage()


def test_a_worker_that_waits_for_its_broker_ends_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(state, "should_stop", 0)
    with pytest.raises(WorkerShutdown):
        QuietConsumer.__new__(QuietConsumer).on_connection_error_before_connected(OSError())
