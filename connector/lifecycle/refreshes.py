"""The pace of listings that a server causes by reporting changes."""

from connector.host import clock

DEBOUNCE_S = 0.3
EVERY_S = 5.0
BURST = 4


class RefreshPace:
    """A change is listed after DEBOUNCE_S. After BURST listings in a row the next ones come every EVERY_S.

    A server that adds ten tools reports ten changes: one listing after the last is enough. A server may also
    report changes without end.
    """

    def __init__(self) -> None:
        self._paid_until = float("-inf")
        """When the listings so far are all paid for, each by EVERY_S: the generic cell rate algorithm."""

    def wait_s(self) -> float:
        """Returns the seconds to wait before a listing, which is taken to follow."""
        now = clock()
        listing_at = max(now + DEBOUNCE_S, self._paid_until - (BURST - 1) * EVERY_S)
        self._paid_until = max(listing_at, self._paid_until) + EVERY_S
        return listing_at - now
