"""A PostgreSQL that a killed runner left behind must not keep the next one from starting."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from config.runner.processes import StartFailed

PROC = Path("/proc")


def end_leftovers(folder: Path, *, timeout_s: float = 10) -> None:
    """Shut down servers that still run on `folder`, and forget one that is gone without a word.

    The caller holds the lock on DATA_DIR, so whatever runs there is nobody's. PostgreSQL itself gives up when
    the process id in a stale postmaster.pid has come to belong to another process.
    """
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + timeout_s
    for pid in _servers(folder):
        _interrupt(pid)
    while _servers(folder):
        if time.monotonic() > deadline:
            raise StartFailed(f"another PostgreSQL still runs on {folder}")
        time.sleep(0.1)
    (folder / "postmaster.pid").unlink(missing_ok=True)


def _servers(folder: Path) -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _serves(entry, folder)]


def _serves(process: Path, folder: Path) -> bool:
    try:
        return (process / "comm").read_text() == "postgres\n" and (process / "cwd").readlink() == folder
    except OSError:  # gone meanwhile, or another user's
        return False


def _interrupt(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGINT)
