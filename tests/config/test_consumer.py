import logging
import warnings

import pytest
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer import Consumer

from config.consumer import QuietConsumer


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
