"""A supervisor in a worker that ends when its supervisor hangs, or when it consumes nothing any more."""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable

from connector.process import run_as
from connector.process.run_as import RunAsRefused
from connector.supervisor.queue_probe import SelfProbe
from connector.supervisor.supervisor import Supervisor
from connector.supervisor.undumpable import hide
from connector.supervisor.watchdog import Watchdog, end_this_process
from connector.timings import Timings

log = logging.getLogger(__name__)

CELERY_ENDS_WITHIN_S = 2.0


class WatchedSupervisor:
    """`probe` sends a message to this worker's own queue; `echo` is to be called when it arrives.

    `probe` is given the seconds after which nobody wants the message any more.
    """

    def __init__(self, node: str, *, probe: Callable[[float], None]) -> None:
        timings = Timings.from_settings()
        self._supervisor = Supervisor(node, timings=timings, on_death=self._died)
        self._watchdog = Watchdog(
            lambda: self._supervisor.pulse, patience_s=timings.stall, bite=end_this_process
        )
        self._probe = SelfProbe(lambda: probe(timings.echo), patience_s=timings.echo, give_up=self._gone_deaf)
        self._timings = timings
        self._ending: threading.Thread | None = None
        self.echo = self._probe.heard

    def start(self) -> None:
        """A worker that may not run MCP servers as it should can still own remote ones."""
        try:
            run_as.account()
        except RunAsRefused as refusal:
            log.error("%s No MCP server can be started here.", refusal)
        hide()
        _spare_the_collector()
        self._watchdog.start()
        self._supervisor.start()
        self._probe.start()

    def begin_drain(self, exit_code: int) -> None:
        """The process ends in time, with `exit_code`, whatever it has to wait for."""
        self._probe.call_off()  # a worker that shuts down consumes nothing
        self._supervisor.begin_drain()
        if self._ending is None:
            self._ending = threading.Thread(target=self._end_in_time, args=[exit_code], daemon=True)
            self._ending.start()

    def stop(self, *, hard: bool = False) -> None:
        self._probe.call_off()
        self._supervisor.stop(hard=hard)
        self._watchdog.call_off()

    def _end_in_time(self, exit_code: int) -> None:
        """Celery waits for a broker that is frozen, and Python for threads that wait for the database."""
        began = time.monotonic()
        self._supervisor.stop()
        left_s = self._timings.gone - (time.monotonic() - began)
        time.sleep(max(0.0, min(left_s, CELERY_ENDS_WITHIN_S)))
        log.warning("This worker did not end by itself in time, and is ended.")
        os._exit(exit_code)

    def _died(self) -> None:
        end_this_process("The supervisor of MCP servers failed.")

    def _gone_deaf(self, reason: str) -> None:
        self._supervisor.stop()
        end_this_process(reason)


def _spare_the_collector() -> None:
    """What is loaded by now stays: to look through all of it again stops every thread for 0.15 s."""
    gc.collect()
    gc.freeze()
