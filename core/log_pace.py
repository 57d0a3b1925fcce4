"""When a fault that goes on is logged again."""

import math
import time

EVERY_S = 60.0


class LogPace:
    """Once a minute, however often it is asked; at once for the first time."""

    def __init__(self) -> None:
        self._told_at = -math.inf

    def is_due(self) -> bool:
        """Whether to log now: then it is not due for EVERY_S."""
        now = time.monotonic()
        if now - self._told_at < EVERY_S:
            return False
        self._told_at = now
        return True
