"""Strays: processes of MCP servers whose owner is gone. The guard should leave none; this is the second net.

Every process of a server carries `MCPC_ID=<owner>/<server>.<slot>` in its environment. An owner's name begins
with its process id and start time, so that whether it lives is seen without the database. What belongs to an
owner that lives is never touched, except one's own.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

from connector.host import PROC, pid_namespace, start_time

MARK = b"MCPC_ID="
GONE_WITHIN_S = 1.0


def new_owner() -> str:
    """A name for one life of a supervisor: `<pid>-<start time>-<random>`."""
    pid = os.getpid()
    return f"{pid}-{start_time(pid) or 0}-{uuid4().hex[:8]}"


def owner_lives(owner: str) -> bool:
    """Raises ValueError for what is no owner's name."""
    pid, started, _ = owner.split("-")
    return start_time(int(pid)) == int(started)


@dataclass(frozen=True, slots=True)
class Marked:
    """A process of an MCP server."""

    pid: int
    owner: str
    server: str

    @classmethod
    def read(cls, pid: int) -> Self | None:
        try:
            environment = (PROC / str(pid) / "environ").read_bytes()
        except OSError:
            return None
        marks = [entry for entry in environment.split(b"\0") if entry.startswith(MARK)]
        if not marks:
            return None
        owner, _, server = marks[0].removeprefix(MARK).decode(errors="replace").rpartition("/")
        return cls(pid, owner, server)

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)


def kill_strays() -> int:
    """Kill what owners on this host left behind that have ended. Returns how many processes that were."""
    return _kill_all(_is_stray)


def kill_marked(mark: str) -> int:
    """Kill what is left of a server of one's own: before it starts, or after its guard was killed."""
    return _kill_all(lambda process: f"{process.owner}/{process.server}" == mark)


def _kill_all(condition: Callable[[Marked], bool]) -> int:
    """On return they are gone, and what they started while one looked: another owner may come next."""
    killed: set[int] = set()
    until = time.monotonic() + GONE_WITHIN_S
    while left := [process for process in marked() if condition(process)]:
        for process in left:
            process.kill()
        killed |= {process.pid for process in left}
        if time.monotonic() > until:
            break
        time.sleep(0.005)
    return len(killed)


def marked() -> Iterator[Marked]:
    """Processes of MCP servers that this process can see and that count their ids as it does."""
    if not (PROC / "self").exists():
        return
    namespace = pid_namespace(os.getpid())
    for entry in PROC.iterdir():
        process = Marked.read(int(entry.name)) if entry.name.isdigit() else None
        if process is not None and pid_namespace(process.pid) == namespace:
            yield process


def _is_stray(process: Marked) -> bool:
    try:
        return not owner_lives(process.owner)
    except ValueError:  # somebody else's use of the same variable
        return False
