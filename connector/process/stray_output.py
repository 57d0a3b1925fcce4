"""What a stdio server writes where the protocol belongs."""

FLOOD = 1000
"""So many lines in a row without a message are no stray log lines any more."""
_KEPT = 200


class Noise:
    """Lines on standard output that are no messages. `first`: the first one's beginning."""

    def __init__(self) -> None:
        self.first = ""
        self._in_a_row = 0

    @property
    def is_flood(self) -> bool:
        return self._in_a_row >= FLOOD

    def hear(self, line: bytes) -> None:
        self._in_a_row += 1
        self.first = self.first or line[:_KEPT].decode(errors="replace")

    def message_came(self) -> None:
        self._in_a_row = 0
