"""The pace of listings that a server causes by reporting changes."""

from connector.host import clock

DEBOUNCE_S = 0.3
EVERY_S = 5.0


class RefreshPace:
    """A first change is listed after DEBOUNCE_S, the next ones EVERY_S after the listing before.

    A server that adds ten tools reports ten changes: one listing after the last is enough. A server may also
    report changes without end.
    """

    def __init__(self) -> None:
        self._last = float("-inf")

    def wait_s(self) -> float:
        """Returns the seconds to wait before a listing, which is taken to follow."""
        now = clock()
        self._last = max(now + DEBOUNCE_S, self._last + EVERY_S)
        return self._last - now
