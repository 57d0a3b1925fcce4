"""Hears of changed intent and tells the workers: a hint, for their poll would find it a second later."""

import logging
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from connector.tasks import reconcile
from tools.signals import intent_changed

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S = 0.5
_BOUNDED = {
    "socket_timeout": PUBLISH_TIMEOUT_S,
    "socket_connect_timeout": PUBLISH_TIMEOUT_S,
    "max_retries": 0,
}


def connect() -> None:
    intent_changed.connect(nudge_the_workers, dispatch_uid="connector.nudge")


def nudge_the_workers(**_: Any) -> None:
    """Never fails, and takes about a second at most, with the broker away."""
    options = {**current_app.conf.broker_transport_options, **_BOUNDED}
    try:
        with current_app.connection_for_write(transport_options=options) as connection:
            reconcile.apply_async(producer=current_app.amqp.Producer(connection), retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning(
            "The workers could not be nudged (%s); they will notice within their poll.", type(error).__name__
        )
