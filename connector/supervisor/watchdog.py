"""The watchdog ends a worker whose supervisor hangs; its shims then kill the servers."""

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
    """Calls `on_stall` once if `heartbeats` returns the same number for `deadline_s`. None ends the watch.

    It counts its own ticks instead of reading a clock: while a worker is frozen, its watchdog is too, and
    does not mistake the pause for a stall.
    """

    def __init__(
        self, heartbeats: Callable[[], int | None], *, deadline_s: float, on_stall: Callable[[str], None]
    ) -> None:
        self._heartbeats = heartbeats
        self._ticks = max(1, round(deadline_s / TICK_S))
        self._on_stall = on_stall
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mcp-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        self._cancelled.set()

    def _watch(self) -> None:
        last, missed = self._heartbeats(), 0
        while not self._cancelled.wait(TICK_S):
            current = self._heartbeats()
            if current is None:
                return
            last, missed = current, (missed + 1 if current == last else 0)
            if missed >= self._ticks:
                self._on_stall(f"The supervisor's loop has not turned for {missed * TICK_S:g} s.")
                return


def end_this_process(reason: str) -> None:
    """Ends the process at once, with every thread's traceback in the log: its manager starts a new one."""
    try:
        log.critical("%s This worker ends.", reason)
        faulthandler.dump_traceback(sys.__stderr__ or 2)  # Celery puts a logger in place of sys.stderr
    finally:
        # Not sys.exit: a thread that hangs, as one does by now, would be waited for.
        os._exit(EXIT_CODE)
