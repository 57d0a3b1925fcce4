"""This machine: its identity, its clock, and whether a process on it still lives."""

import os
import socket
import sys
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

PROC = Path("/proc")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Returns monotonic seconds that go on while the machine is suspended, as the database's do."""
    return time.clock_gettime(_CLOCK)


def timestamp() -> str:
    """Returns the time in UTC as ISO 8601 to the second: for people, never for leases."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def host_id() -> str:
    """Returns an id that is equal for two processes exactly if they can see each other's process ids."""
    if sys.platform != "linux":
        return socket.gethostname()
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    # Two containers of one machine have the same boot id, and neither sees the other's processes.
    return f"{boot}/{pid_namespace(os.getpid())}"


def pid_namespace(pid: int) -> str | None:
    """Returns the namespace of a process's id; None when the process has ended or is somebody else's."""
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return None


def start_time(pid: int) -> int | None:
    """Returns when a process began, in kernel ticks; None when it has ended.

    Ids are used again: only the id and the start time together name one process.
    """
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    # A zombie has ended, although its parent has not collected it.
    return None if fields[0] in b"ZX" else int(fields[19])
