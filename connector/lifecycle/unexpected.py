"""The errors that MCP servers and their transports cause. Any other one is a bug of ours, and logged."""

import logging
import traceback

import anyio
import httpx2

from connector.errors import NotForClients, SessionLost, Unresponsive, VariableMissing
from connector.lifecycle.diagnosis import Diagnosis
from connector.process.run_as import RunAsRefused
from core import metrics
from tools.outbound.egress import AddressRefused
from tools.policy import CommandRefused
from tools.secrets.encryption import UndecryptableSecret

log = logging.getLogger(__name__)

EXPECTED: tuple[type[BaseException], ...] = (
    SessionLost,
    Unresponsive,
    VariableMissing,
    NotForClients,
    UndecryptableSecret,
    CommandRefused,
    RunAsRefused,
    AddressRefused,
    OSError,
    TimeoutError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
)


def log_unexpected(error: BaseException, subject: str) -> None:
    """Logs where an error was raised that is not in EXPECTED; people are shown no more than its name.

    The error's own text is left out: pydantic's quotes what it was given, httpx's the URL, and both may hold
    secrets.
    """
    if not isinstance(error, EXPECTED):
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s: unexpected %s, raised here:\n%s", subject, type(error).__name__, frames)


def count_exit(slug: str, diagnosis: Diagnosis) -> None:
    """Counts the end of a server that nobody asked for."""
    metrics.SERVER_EXITS.add(metrics.bounded(slug), diagnosis.reason)
