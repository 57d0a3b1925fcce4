"""Hears of changed intent and tells the workers: a hint, for their poll would find it a second later."""

import logging
from typing import Any

from connector import broker
from connector.broker import BROKER_ERRORS
from tools.signals import intent_changed

log = logging.getLogger(__name__)

RECONCILE = "connector.tasks.reconcile"
"""By name: importing the task would import the MCP client, 30 MB that a web process has no use for."""


def connect() -> None:
    intent_changed.connect(nudge_the_workers, dispatch_uid="connector.nudge")


def nudge_the_workers(**_: Any) -> None:
    """Never fails, and takes about a second at most, with the broker away."""
    try:
        broker.send(RECONCILE)
    except BROKER_ERRORS as error:
        log.warning(
            "The workers could not be nudged (%s); they will notice within their poll.", type(error).__name__
        )
