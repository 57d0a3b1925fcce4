"""The wall clock of the processes of a test, which can jump while they run: that of the machine stays."""

import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
FILE = "SHIFTED_CLOCK"


@contextmanager
def shifted_clock() -> Iterator[dict[str, str]]:
    """Yields the variables that give a process this clock. Raises PermissionError where there is none.

    The library stands in a folder of its own that every user can read: PostgreSQL may run as another one.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or not compiler:
        raise PermissionError("A clock that jumps needs Linux with glibc, and a C compiler.")
    with tempfile.TemporaryDirectory(prefix="mcpc-clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        library, file = folder / "shifted_clock.so", folder / "shift"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        file.write_bytes(struct.pack("q", 0))
        for path in (library, file):
            path.chmod(0o644)
        yield {"LD_PRELOAD": str(library), FILE: str(file)}


def shift(seconds: int) -> None:
    """Has this clock show so many seconds more than the machine's, in all processes at once."""
    with Path(os.environ[FILE]).open("r+b", buffering=0) as file:
        file.write(struct.pack("q", seconds))
