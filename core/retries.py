"""Parts of the retries of calls to services."""

import logging
import secrets
from collections.abc import Callable

from tenacity import RetryCallState

_random = secrets.SystemRandom()


def pause_s(failure: BaseException | None, attempt: int, *, first_s: float) -> float:
    """Returns the seconds to wait after an attempt (1, 2, ...) that failed.

    They double from `first_s` on, give or take half of it. A failure that has `retry_after` (seconds, from
    the header Retry-After: RFC 9110, section 10.2.3) is obeyed instead.
    """
    asked_for: float | None = getattr(failure, "retry_after", None)
    # The jitter keeps callers that failed together from coming back together.
    return asked_for or first_s * 2.0 ** (attempt - 1) * _random.uniform(0.5, 1.5)


def backoff(first_s: float) -> Callable[[RetryCallState], float]:
    """A tenacity `wait`: see `pause_s`."""

    def wait(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        return pause_s(failure, state.attempt_number, first_s=first_s)

    return wait


def log_retry(log: logging.Logger, service: str) -> Callable[[RetryCallState], None]:
    """A tenacity `before_sleep`, which says how `service` failed and when it is asked again."""

    def before_sleep(state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        log.info("Asking %s again in %.1f s: %s", service, state.upcoming_sleep, failure)

    return before_sleep
