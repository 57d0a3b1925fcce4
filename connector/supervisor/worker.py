"""The MCP part of a Celery worker: a supervisor, and what ends the worker when it is of no use any more.

A watchdog ends it when the supervisor hangs, a broker health check when it consumes nothing.
"""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable

from connector.process import run_as
from connector.process.run_as import RunAsRefused
from connector.supervisor.broker_check import BrokerHealthCheck
from connector.supervisor.supervisor import Supervisor
from connector.supervisor.undumpable import make_non_dumpable
from connector.supervisor.watchdog import Watchdog, end_this_process
from connector.timings import Timings

log = logging.getLogger(__name__)

CELERY_ENDS_WITHIN_S = 2.0


class McpWorker:
    """`send_canary` sends a message to this worker's own queue; `canary_received` is to be called for it.

    `send_canary` is given the seconds after which the message may expire.
    """

    def __init__(self, node: str, *, send_canary: Callable[[float], None]) -> None:
        timings = Timings.from_settings()
        self._supervisor = Supervisor(node, timings=timings, on_death=self._supervisor_failed)
        self._watchdog = Watchdog(
            lambda: self._supervisor.heartbeats, deadline_s=timings.stall, on_stall=end_this_process
        )
        self._broker_check = BrokerHealthCheck(
            lambda: send_canary(timings.canary),
            deadline_s=timings.canary,
            on_overdue=self._consumes_nothing,
        )
        self._timings = timings
        self._ending: threading.Thread | None = None
        self.canary_received = self._broker_check.received

    def start(self) -> None:
        """Returns when the supervisor can be stopped."""
        # No reason to end: a worker that may not start servers as MCP_RUN_AS demands can own remote ones.
        try:
            run_as.account()
        except RunAsRefused as refusal:
            log.error("%s No MCP server can be started here.", refusal)
        make_non_dumpable()
        _freeze_loaded_objects()
        self._watchdog.start()
        self._supervisor.start()
        self._broker_check.start()

    def begin_drain(self, exit_code: int) -> None:
        """Drains. The process ends in time, with `exit_code`, whatever it has to wait for."""
        self._broker_check.cancel()  # a worker that shuts down consumes nothing
        self._supervisor.begin_drain()
        if self._ending is None:
            self._ending = threading.Thread(target=self._end_in_time, args=[exit_code], daemon=True)
            self._ending.start()

    def stop(self, *, hard: bool = False) -> None:
        self._broker_check.cancel()
        self._supervisor.stop(hard=hard)
        self._watchdog.cancel()

    def _end_in_time(self, exit_code: int) -> None:
        """Ends the process if it does not end itself.

        Celery waits for a broker that is frozen, and Python for threads that wait for the database.
        """
        began = time.monotonic()
        self._supervisor.stop()
        left_s = self._timings.shutdown - (time.monotonic() - began)
        time.sleep(max(0.0, min(left_s, CELERY_ENDS_WITHIN_S)))
        log.warning("This worker did not end by itself in time, and is ended.")
        os._exit(exit_code)

    def _supervisor_failed(self) -> None:
        end_this_process("The supervisor of MCP servers failed.")

    def _consumes_nothing(self, reason: str) -> None:
        # The supervisor is well: its servers can be handed over, and need not be killed by their shims.
        self._supervisor.stop()
        end_this_process(reason)


def _freeze_loaded_objects() -> None:
    """Exempts what is loaded by now from garbage collection, which would stop every thread for 0.15 s."""
    gc.collect()
    gc.freeze()
