"""Messages to workers, by a task's name: who sends one need not import what it does."""

import logging

from celery import current_app
from kombu import pools
from kombu.exceptions import LimitExceeded, OperationalError
from redis.exceptions import RedisError

from core import tracing

log = logging.getLogger(__name__)

BROKER_ERRORS: tuple[type[Exception], ...] = (OperationalError, RedisError, OSError, LimitExceeded)
PUBLISH_TIMEOUT_S = 0.5
_BOUNDED = {
    "socket_timeout": PUBLISH_TIMEOUT_S,
    "socket_connect_timeout": PUBLISH_TIMEOUT_S,
    "max_retries": 0,
}


def send(task: str, *, queue: str | None = None, expires_s: float | None = None) -> None:
    """Sends it, with the present trace if there is one.

    Raises BROKER_ERRORS, after about a second at most, with the broker away.
    """
    options = {**current_app.conf.broker_transport_options, **_BOUNDED}
    broker = current_app.connection_for_write(transport_options=options)
    # Connections are kept: to open one takes several times as long as to send a message.
    with pools.producers[broker].acquire(block=True, timeout=PUBLISH_TIMEOUT_S) as producer:
        current_app.send_task(
            task, producer=producer, queue=queue, expires=expires_s, retry=False, headers=tracing.carried()
        )


def send_hint(task: str, *, warning: str) -> None:
    """Sends a message that only makes a task run sooner than beat would send it.

    Never fails: with the broker away it logs `warning`, a format with one %s for the kind of error.
    """
    try:
        send(task)
    except BROKER_ERRORS as error:
        log.warning(warning, type(error).__name__)
