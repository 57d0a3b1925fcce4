"""Hears of changed intent and changed tools, and tells the workers: a hint, for they look by themselves."""

import logging
from typing import Any

from core import broker
from core.broker import BROKER_ERRORS
from tools.signals import catalogue_changed, intent_changed

log = logging.getLogger(__name__)

RECONCILE = "connector.tasks.reconcile"
"""By name: importing the task would import the MCP client, 30 MB that a web process has no use for."""
INDEX = "tools.tasks.index_tools"


def connect() -> None:
    intent_changed.connect(nudge_the_workers, dispatch_uid="connector.nudge")
    catalogue_changed.connect(have_it_indexed, dispatch_uid="connector.index")


def nudge_the_workers(**_: Any) -> None:
    _send(RECONCILE, "The workers could not be nudged (%s); they will notice within their poll.")


def have_it_indexed(**_: Any) -> None:
    _send(INDEX, "No worker could be told to index tools (%s); beat will within half a minute.")


def _send(task: str, complaint: str) -> None:
    """Never fails, and takes about a second at most, with the broker away."""
    try:
        broker.send(task)
    except BROKER_ERRORS as error:
        log.warning(complaint, type(error).__name__)
