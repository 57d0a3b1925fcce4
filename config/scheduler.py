"""Beat's scheduler, which says once that tasks cannot be sent, and once that they can again."""

import logging
from datetime import timedelta
from typing import Any

from celery.beat import ScheduleEntry, SchedulingError
from celery.beat import Scheduler as InMemory
from celery.schedules import schedule

APART_S = 0.6
"""More than a task takes that finds nothing to do, and little enough for all of them to fit into 10 s."""

log = logging.getLogger(__name__)


class Scheduler(InMemory):
    """Celery's own keeps its times in a file: on a full disk it would end, and nothing needs them kept.

    It also logs two stacks for each task and each time: hundreds of lines a minute without Redis.
    """

    _is_refused = False

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._spread()

    def _spread(self) -> None:
        """Lets each task be due at another time: at once they would need a thread and a connection each."""
        now = self.app.now()
        for place, entry in enumerate(self.schedule.values()):
            if isinstance(entry.schedule, schedule):  # of an interval, not of a time of day
                entry.last_run_at = now - timedelta(seconds=place * APART_S % entry.schedule.seconds)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Sends a task that is due, and returns the seconds until it is to be called again."""
        self._forget_the_future()
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def _forget_the_future(self) -> None:
        """Without this nothing would be sent until a clock that was set back is where it has been before."""
        now = self.app.now()
        entries = self.schedule.values()
        if all(entry.last_run_at is None or entry.last_run_at <= now for entry in entries):
            return
        log.warning("The clock was set back: periodic tasks go by what it shows now.")
        for entry in entries:
            entry.last_run_at = now
        self._spread()
        self._heap = None

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            if not self._is_refused:
                log.error("Periodic tasks cannot be sent, and are tried again: %s", error)
            self._is_refused = True
            return
        if self._is_refused:
            log.warning("Periodic tasks are sent again.")
        self._is_refused = False
