"""Orphans: PostgreSQL servers that outlived a killed runner would keep the next one from starting."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from config.runner.processes import StartFailed

PROC = Path("/proc")


def stop_orphans(folder: Path, *, timeout_s: float = 10) -> None:
    """Shuts down the servers that run on `folder`, and deletes the pid file of one that crashed.

    The caller has locked DATA_DIR, so no other runner owns them. The stale file must go because PostgreSQL
    refuses to start when the process id in it belongs to another process by now. Works on Linux, and does
    nothing elsewhere. Raises StartFailed after `timeout_s` seconds.
    """
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + timeout_s
    running = _servers(folder)
    for pid in running:
        # What belongs to a server it ends itself. Its checkpointer would take the signal for the end of all
        # writing, and the server that for a crash: it would end with status 1, to recover at its next start.
        if _parent(pid) not in running:
            _shut_down(pid)
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
    except OSError:  # it has ended meanwhile, or belongs to another user
        return False


def _parent(pid: int) -> int | None:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return None


def _shut_down(pid: int) -> None:
    # SIGINT is PostgreSQL's fast shutdown: it disconnects clients and writes a checkpoint.
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGINT)
