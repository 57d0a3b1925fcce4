"""What goes on, for people: a line that lives on a terminal, a few lines in a log. Needs no package."""

import os
import shutil
import sys
import time
from typing import TextIO

LOG_EVERY_S = 10
ERASE_LINE = "\r\x1b[K"


class Progress:
    """Shows on `output` what is being done. On a terminal the next thing takes the place of the last."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stdout
        self._lives = self._output.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._is_shown = False
        self._logged_at = 0.0

    def step(self, line: str) -> None:
        """Shows that something begins."""
        if self._lives:
            self._show(line)
        else:
            self.line(line)

    def still(self, line: str) -> None:
        """Shows what is left of a step; in a log every LOG_EVERY_S seconds. Call it every second or so."""
        if self._lives:
            self._show(line)
        elif time.monotonic() - self._logged_at > LOG_EVERY_S:
            self.line(line)

    def line(self, line: str) -> None:
        """Prints a line that stays."""
        self.clear()
        print(line, file=self._output, flush=True)
        self._logged_at = time.monotonic()

    def clear(self) -> None:
        """Takes back the line that lives, if there is one: call it before anything else is printed."""
        if self._is_shown:
            print(ERASE_LINE, end="", file=self._output, flush=True)
        self._is_shown = False

    def _show(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1  # a full line would wrap, and could not be erased
        print(f"{ERASE_LINE}{line[:width]}", end="", file=self._output, flush=True)
        self._is_shown = True
