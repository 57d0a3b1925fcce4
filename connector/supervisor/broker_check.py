"""The broker health check: a worker sends canary messages into its own queue, and ends if none comes back.

Workers have been known to be connected to the broker and to consume nothing (celery#8030, #10205).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.broker import BROKER_ERRORS

log = logging.getLogger(__name__)

SENDS_PER_DEADLINE = 3
RECONNECT_S = 35.0  # Celery waits up to 30 s before it tries a broker again that was away


@dataclass
class CanaryDeadline:
    """Whether canary messages are overdue. Pure: times are by whatever clock its user reads.

    A broker that cannot be reached says nothing about this worker: the deadline then starts anew, with the
    time that Celery may take to connect again.
    """

    deadline_s: float
    reconnect_s: float = RECONNECT_S
    _waiting_since: float | None = field(default=None, init=False)
    _allowed_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._allowed_s = self.deadline_s

    def sent(self, now: float) -> None:
        # Counted from the first message that is missing: the later ones prove nothing more.
        if self._waiting_since is None:
            self._waiting_since = now

    def send_failed(self) -> None:
        self._waiting_since = None
        self._allowed_s = self.deadline_s + self.reconnect_s

    def received(self) -> None:
        self._waiting_since = None
        self._allowed_s = self.deadline_s

    def is_overdue(self, now: float) -> bool:
        return self._waiting_since is not None and now - self._waiting_since >= self._allowed_s


class BrokerHealthCheck:
    """`send` puts a canary message into this worker's own queue; whoever consumes it calls `received`.

    `on_overdue` is called once, from a thread of its own, when none is consumed any more.
    """

    def __init__(
        self, send: Callable[[], None], *, deadline_s: float, on_overdue: Callable[[str], None]
    ) -> None:
        self._send = send
        self._deadline = CanaryDeadline(deadline_s)
        self._pause_s = deadline_s / SENDS_PER_DEADLINE
        self._on_overdue = on_overdue
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mcp-broker-check", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        self._cancelled.set()

    def received(self) -> None:
        self._deadline.received()

    def _run(self) -> None:
        while not self._cancelled.wait(self._pause_s):
            try:
                self._send()
            except BROKER_ERRORS as error:
                log.debug("The broker cannot be reached (%s).", type(error).__name__)
                self._deadline.send_failed()
                continue
            self._deadline.sent(time.monotonic())
            if self._deadline.is_overdue(time.monotonic()):
                self._on_overdue("The broker answers, but this worker consumes nothing from its own queue.")
                return
