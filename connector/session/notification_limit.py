"""A limit for the notifications of one server: each costs time of its worker, and so of its neighbours."""

import asyncio
from collections import deque

import orjson

from connector.host import clock

MOST_A_SECOND = 20
DROPS_A_PAUSE, PAUSE_S = 50, 0.01
_MARK = b'"notifications/'
_MOST_KINDS = 1024


class NotificationLimit:
    """Counts by method and, for progress, by call, for updates, by resource.

    What it drops is reported again or found soon: the change of a list is noticed by the notifications before
    it, which are listed later, and by the next health check; progress goes on.
    """

    def __init__(self) -> None:
        self._dropped = 0
        self._passed: dict[tuple[str, str], deque[float]] = {}

    async def drops(self, line: bytes) -> bool:
        """Returns whether a line of a server is a notification over the limit. Slows a flood down."""
        if not self._is_over(line):
            return False
        self._dropped += 1
        if not self._dropped % DROPS_A_PAUSE:
            # Meanwhile the pipe fills, and the server has to wait in turn.
            await asyncio.sleep(PAUSE_S)
        return True

    def _is_over(self, line: bytes) -> bool:
        kind = _kind(line)
        if kind is None:
            return False
        if len(self._passed) > _MOST_KINDS:
            self._passed.clear()
        passed = self._passed.setdefault(kind, deque(maxlen=MOST_A_SECOND))
        now = clock()
        if len(passed) == MOST_A_SECOND and now - passed[0] < 1:
            return True
        passed.append(now)
        return False


def _kind(line: bytes) -> tuple[str, str] | None:
    """Returns the method, with the progress token or the URI; None for what is no notification."""
    if _MARK not in line[:4096]:
        return None
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict) or "id" in message or not isinstance(message.get("method"), str):
        return None
    params = message.get("params")
    about = params if isinstance(params, dict) else {}
    return message["method"], str(about.get("progressToken", about.get("uri")))
