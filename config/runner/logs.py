import re
import shutil
from pathlib import Path

LIMIT = 5 * 1024 * 1024  # bytes; one older part of that size is kept beside it
# A line of settings.LOGGING or of uvicorn. A traceback's lines stay in the file.
WORTH_SHOWING = re.compile(r"^(\S+ \S+ )?(WARNING|ERROR|CRITICAL)\b")


class Log:
    """The file that a child appends to: kept within bounds, and read for what people should see."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = path.stat().st_size if path.exists() else 0

    def troubles(self) -> list[str]:
        """The warnings and errors since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            new, ended, _ = file.read().rpartition(b"\n")
        self._read_to += len(new + ended)
        self._bound()
        return [line for line in new.decode(errors="replace").splitlines() if WORTH_SHOWING.match(line)]

    def _bound(self) -> None:
        """The child goes on writing to the same file, at its end, wherever that is."""
        if self._read_to > LIMIT:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            with self.path.open("r+b") as file:
                file.truncate(0)
            self._read_to = 0
