import re
import shutil
import time
from pathlib import Path

LIMIT = 5 * 1024 * 1024  # bytes; one older part of that size stays beside it
# A line in a format of settings.LOGGING or of uvicorn. The lines of a traceback stay in the file.
WARNING_OR_ERROR = re.compile(r'^((\S+ \S+ )?|\{"time":"[^"]*","level":")(WARNING|ERROR|CRITICAL)\b')
REPEATED_S = 60
# What differs where a line is repeated: when it was written, for which request or task, about which object.
PASSING = re.compile(r"^\S+ \S+ (?=[A-Z]+ )|\[req_\w+\]|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b0x[0-9a-f]+")


class Log:
    """The log file that a child appends to: limited in size, and followed for its warnings and errors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = path.stat().st_size if path.exists() else 0

    def new_warnings(self) -> list[str]:
        """Returns the lines with warnings and errors since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._read_to += len(complete + newline)
        self._rotate()
        return [
            line for line in complete.decode(errors="replace").splitlines() if WARNING_OR_ERROR.match(line)
        ]

    def _rotate(self) -> None:
        """Copies and truncates, because the child has the file open: it goes on appending at the new end."""
        if self._read_to > LIMIT:
            older = self.path.with_suffix(".log.1")
            try:
                shutil.copyfile(self.path, older)
            except OSError:  # the disk is full: what is older is given up, so that there is room again
                older.unlink(missing_ok=True)
            with self.path.open("r+b") as file:
                file.truncate(0)
            self._read_to = 0


class Repeats:
    """Tells what a child has said from what it says again: without a database a line a second."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def without(self, lines: list[str]) -> list[str]:
        """Returns the lines whose like has not been here for REPEATED_S seconds. The log has them all."""
        now = time.monotonic()
        self._said = {line: at for line, at in self._said.items() if now - at < REPEATED_S}
        return [line for line in lines if self._is_new(PASSING.sub("", line), now)]

    def _is_new(self, line: str, now: float) -> bool:
        is_new = line not in self._said
        self._said.setdefault(line, now)
        return is_new
