"""Turns: of many calls in a process one at a time works, and does what the others came for as well."""

import threading


class Turn:
    """To be taken before the work, and ended once; `begin` is called before each look for something to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = self._is_asked = False

    def take(self) -> bool:
        """Returns False where somebody else has the turn, who then looks once more."""
        with self._lock:
            is_free, self._is_taken, self._is_asked = not self._is_taken, True, True
            return is_free

    def begin(self) -> None:
        with self._lock:
            self._is_asked = False

    def end(self, *, unless_asked: bool = False) -> bool:
        """Ends the turn; not `unless_asked` where somebody has come since the last look. Returns whether."""
        with self._lock:
            self._is_taken = unless_asked and self._is_asked
            return not self._is_taken
