"""Celery's consumer, which drops messages that no task can be made of without logging what is in them."""

import logging
import time
import warnings
from functools import cached_property
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from core.log_pace import LogPace
from core.refused_writes import refusal

log = logging.getLogger(__name__)

PAUSE_S, POLL_S = 2, 0.1


class QuietConsumer(Consumer):
    """Celery's own logs the whole body: arguments of tasks may be secret."""

    @cached_property
    def _losses(self) -> LogPace:
        return LogPace()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Celery's own also warns of what its next version will do by default, which is news for us alone."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Celery's own begins anew at once, six times a second where Redis answers and takes no writes."""
        if self._losses.is_due():
            said = refusal(exc) or f"is away ({type(exc).__name__})."
            log.error("The broker %s It is asked every %s s.", said, PAUSE_S)
        until = time.monotonic() + PAUSE_S
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(POLL_S)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        self._drop(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._drop(message, f"there is no task {message.headers.get('task')!r:.100}")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._drop(message, f"it is no call of a task ({type(exc).__name__})")

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._drop(message, f"its body cannot be read ({type(exc).__name__})")

    def create_task_handler(self, *arguments: Any, **options: Any) -> Any:
        """Returns Celery's handler of a message, with a boundary around it."""
        handle = super().create_task_handler(*arguments, **options)

        def handle_or_drop(message: Any) -> None:
            try:
                handle(message)
            # The boundary to whoever can write into Redis. Celery checks for few of the ways in which a
            # message can be wrong, and any other one would end the worker.
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                self._drop(message, f"it cannot be handled ({type(error).__name__})")

        return handle_or_drop

    def _drop(self, message: Any, reason: str) -> None:
        log.error("A message in a queue was dropped: %s.", reason)
        # The stubs miss an attribute of Consumer.
        message.reject_log_error(log, self.connection_errors)  # type: ignore[attr-defined]
        signals.task_rejected.send(sender=self, message=message, exc=None)
