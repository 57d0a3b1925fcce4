"""A supervisor in a worker that ends when its supervisor hangs, or when it consumes nothing any more."""

import logging
from collections.abc import Callable

from connector import run_as
from connector.run_as import RunAsRefused
from connector.self_probe import SelfProbe
from connector.supervisor import Supervisor
from connector.timings import Timings
from connector.watchdog import Watchdog, end_this_process

log = logging.getLogger(__name__)


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
        self.echo = self._probe.heard
        self.nudge = self._supervisor.nudge

    def start(self) -> None:
        """A worker that may not run MCP servers as it should can still own remote ones."""
        try:
            run_as.account()
        except RunAsRefused as refusal:
            log.error("%s No MCP server can be started here.", refusal)
        self._watchdog.start()
        self._supervisor.start()
        self._probe.start()

    def begin_drain(self) -> None:
        """A worker that shuts down consumes nothing."""
        self._probe.call_off()
        self._supervisor.begin_drain()

    def stop(self, *, hard: bool = False) -> None:
        self._probe.call_off()
        self._supervisor.stop(hard=hard)
        self._watchdog.call_off()

    def _died(self) -> None:
        end_this_process("The supervisor of MCP servers failed.")

    def _gone_deaf(self, reason: str) -> None:
        self._supervisor.stop()
        end_this_process(reason)
