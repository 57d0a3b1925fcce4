"""Stray stdout: lines of a stdio server on standard output that are no MCP messages."""

from collections import deque

STRAY_LINE_LIMIT = 1000
"""A server that writes so many stray lines in a row is stopped: they are no occasional log lines."""
_EXCERPT = 200
_LAST_LINES, _LONGEST_LINE = 40, 1024


class StrayOutput:
    """Counts stray lines. `first` is the beginning of the first one, for the error message.

    `tail` is the last of them: a server may write to standard output why it cannot start.
    """

    def __init__(self) -> None:
        self.first = ""
        self._in_a_row = 0
        self._last: deque[bytes] = deque(maxlen=_LAST_LINES)

    @property
    def tail(self) -> str:
        return b"\n".join(self._last).decode(errors="replace").replace("\0", "\ufffd")

    @property
    def is_over_limit(self) -> bool:
        return self._in_a_row >= STRAY_LINE_LIMIT

    def add(self, line: bytes) -> None:
        self._in_a_row += 1
        self._last.append(line[:_LONGEST_LINE])
        self.first = self.first or line[:_EXCERPT].decode(errors="replace")

    def reset(self) -> None:
        """Starts counting anew, because a message has arrived."""
        self._in_a_row = 0
