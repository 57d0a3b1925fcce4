"""What is logged of tasks: names and errors, and no argument; and it is said if they come too late."""

import logging
import traceback
from typing import Any

from core.log_pace import LogPace

log = logging.getLogger(__name__)

_LOGGERS = ("celery", "kombu", "billiard")
_VALUES = {"args", "kwargs", "traceback"}


class TaskValuesFilter(logging.Filter):
    """Leaves the texts of errors out of Celery's records: they quote what the task was called with.

    The frames stay: they consist of our code.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _LOGGERS:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_text = _without_text(error)
        if isinstance(record.args, dict):
            named = {name: value for name, value in record.args.items() if name not in _VALUES}
            if error is not None and "exc" in named:
                named["exc"] = type(error).__name__
            record.args = named
        elif isinstance(record.args, tuple):
            record.args = tuple(_without_values(value) for value in record.args)
        return True


class Lateness:
    """Says that tasks had expired when they came. Celery's own line about each is no warning."""

    def __init__(self) -> None:
        self._pace = LogPace()

    def tell(self, request: Any, expired: bool, **_: Any) -> None:
        """Receives Celery's signal `task_revoked`."""
        if not expired or not self._pace.is_due():
            return
        log.warning(
            "The task %s came too late and was not run, and others may have. Beat asks again. If this is said"
            " each minute, this clock is ahead of beat's, or there are too few workers.",
            request.task,
        )


def _without_text(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"


def _without_values(value: object) -> object:
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if name not in _VALUES}
    return value
