"""Beat's scheduler, which says once that tasks cannot be sent, and once that they can again."""

import logging
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError

log = logging.getLogger(__name__)


class Scheduler(PersistentScheduler):
    """Celery's own logs two stacks for each task and each time: hundreds of lines a minute without Redis."""

    _is_refused = False

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
