"""Ends a worker whose supervisor hangs: nothing inside it could do that, and the guards do the rest."""

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
TICK_S = 0.5


class Watchdog:
    """Watches that `pulse` goes on changing until it is None; after `patience_s` without, it bites.

    It counts its own ticks instead of reading a clock: while a worker is frozen, its watchdog is too.
    """

    def __init__(
        self, pulse: Callable[[], int | None], *, patience_s: float, bite: Callable[[str], None]
    ) -> None:
        self._pulse = pulse
        self._ticks = max(1, round(patience_s / TICK_S))
        self._bite = bite
        self._called_off = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mcp-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call_off(self) -> None:
        self._called_off.set()

    def _watch(self) -> None:
        seen, silent = self._pulse(), 0
        while not self._called_off.wait(TICK_S):
            now = self._pulse()
            if now is None:
                return
            seen, silent = now, (silent + 1 if now == seen else 0)
            if silent >= self._ticks:
                self._bite(f"The supervisor's loop has not turned for {silent * TICK_S:g} s.")
                return


def end_this_process(reason: str) -> None:
    """At once and without ado: whoever manages the worker starts a new one."""
    try:
        log.critical("%s This worker ends.", reason)
        faulthandler.dump_traceback(sys.__stderr__ or 2)  # Celery puts a logger in place of sys.stderr
    finally:
        os._exit(EXIT_CODE)
