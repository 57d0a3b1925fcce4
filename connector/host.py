"""Which machine this is, and whether a process on it still lives."""

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
    """Monotonic seconds that go on while the machine is suspended: for leases."""
    return time.clock_gettime(_CLOCK)


def timestamp() -> str:
    """Now, in UTC as ISO 8601 to the second: for people, never for leases."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def host_id() -> str:
    """Equal for two processes exactly if they can see each other's process ids."""
    if sys.platform != "linux":
        return socket.gethostname()
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{pid_namespace(os.getpid())}"


def pid_namespace(pid: int) -> str | None:
    """None when the process is gone or somebody else's."""
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return None


def start_time(pid: int) -> int | None:
    """When the process began, in kernel ticks: with its id it names one process. None when it has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else int(fields[19])
