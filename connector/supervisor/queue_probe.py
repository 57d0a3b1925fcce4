"""Whether this worker still consumes its queues, by messages to itself.

Workers have been known to be connected to the broker and to consume nothing (celery#8030, #10205).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.broker import BROKER_ERRORS

log = logging.getLogger(__name__)

ROUNDS = 3  # in the time that an echo may take
RECONNECTING_S = 35.0  # Celery waits up to 30 s before it tries a broker again that was away


@dataclass
class Echoes:
    """What is known of messages sent and heard. Pure: times are whatever clock its user reads.

    A broker that cannot be reached says nothing about this worker: then the count begins anew.
    """

    patience_s: float
    reconnecting_s: float = RECONNECTING_S
    _waiting_since: float | None = field(default=None, init=False)
    _allowed_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._allowed_s = self.patience_s

    def sent(self, now: float) -> None:
        if self._waiting_since is None:
            self._waiting_since = now

    def not_sent(self) -> None:
        self._waiting_since = None
        self._allowed_s = self.patience_s + self.reconnecting_s

    def heard(self) -> None:
        self._waiting_since = None
        self._allowed_s = self.patience_s

    def is_deaf(self, now: float) -> bool:
        return self._waiting_since is not None and now - self._waiting_since >= self._allowed_s


class SelfProbe:
    """`send` puts a message into this worker's own queue; `heard` is to be called when it comes back.

    `give_up` is called once, from a thread of its own, when nothing comes back any more.
    """

    def __init__(
        self, send: Callable[[], None], *, patience_s: float, give_up: Callable[[str], None]
    ) -> None:
        self._send = send
        self._echoes = Echoes(patience_s)
        self._pause_s = patience_s / ROUNDS
        self._give_up = give_up
        self._called_off = threading.Event()
        self._thread = threading.Thread(target=self._probe, name="mcp-self-probe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call_off(self) -> None:
        self._called_off.set()

    def heard(self) -> None:
        self._echoes.heard()

    def _probe(self) -> None:
        while not self._called_off.wait(self._pause_s):
            try:
                self._send()
            except BROKER_ERRORS as error:
                log.debug("The broker cannot be reached (%s).", type(error).__name__)
                self._echoes.not_sent()
                continue
            self._echoes.sent(time.monotonic())
            if self._echoes.is_deaf(time.monotonic()):
                self._give_up("The broker answers, but this worker hears nothing from its own queue.")
                return
