"""Orphans: stray processes of MCP servers whose owner is gone. They are found by a marker and killed.

A shim leaves none behind; this is the second line of defence, for a shim that was killed itself. Every
process of a server carries `MCPC_ID=<owner>/<server>.<slot>` in its environment. An owner's name begins
with its process id and start time, so that nobody needs the database to see whether it lives. Processes of
another owner that lives are never touched.
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

MARKER = b"MCPC_ID="
KILL_DEADLINE_S = 1.0
_RESCAN_S = 0.005


def new_owner_name() -> str:
    """Returns a name for one life of a supervisor: `<pid>-<start time>-<random>`."""
    pid = os.getpid()
    # The random part is for a supervisor that starts anew in the same process, as after SIGHUP.
    return f"{pid}-{start_time(pid) or 0}-{uuid4().hex[:8]}"


def owner_is_alive(owner: str) -> bool:
    """Whether the process that an owner is named after still runs. Raises ValueError for any other name."""
    pid, started, _ = owner.split("-")
    # The start time distinguishes the owner from a later process with the same id.
    return start_time(int(pid)) == int(started)


@dataclass(frozen=True, slots=True)
class MarkedProcess:
    """A process of an MCP server. `server` is `<server>.<slot>`."""

    pid: int
    owner: str
    server: str

    @classmethod
    def read(cls, pid: int) -> Self | None:
        """Returns None for a process that has ended, belongs to somebody else, or carries no marker."""
        try:
            environment = (PROC / str(pid) / "environ").read_bytes()
        except OSError:
            return None
        markers = [entry for entry in environment.split(b"\0") if entry.startswith(MARKER)]
        if not markers:
            return None
        owner, _, server = markers[0].removeprefix(MARKER).decode(errors="replace").rpartition("/")
        return cls(pid, owner, server)

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)


def kill_orphans() -> int:
    """Kills the processes that dead owners of this host left behind. Returns their number."""
    return _kill_all(_is_orphan)


def kill_marked(marker: str) -> int:
    """Kills what is left of one server of our own (`<owner>/<server>.<slot>`). Returns their number.

    Called before a server starts, and after its shim was killed.
    """
    return _kill_all(lambda process: f"{process.owner}/{process.server}" == marker)


def _kill_all(condition: Callable[[MarkedProcess], bool]) -> int:
    """Returns once no process fulfils the condition: the next owner may start as soon as we return."""
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_DEADLINE_S
    # One scan is not enough: a process may fork after the scan has passed its parent and before it is killed.
    while found := [process for process in marked_processes() if condition(process)]:
        for process in found:
            process.kill()
        killed |= {process.pid for process in found}
        if time.monotonic() > deadline:
            break
        time.sleep(_RESCAN_S)
    return len(killed)


def marked_processes() -> Iterator[MarkedProcess]:
    """Yields the processes of MCP servers in our namespace of process ids. None without /proc (macOS)."""
    if not (PROC / "self").exists():
        return
    namespace = pid_namespace(os.getpid())
    for entry in PROC.iterdir():
        process = MarkedProcess.read(int(entry.name)) if entry.name.isdigit() else None
        # A container's processes are visible to its host, but their owner's id means another process there.
        if process is not None and pid_namespace(process.pid) == namespace:
            yield process


def _is_orphan(process: MarkedProcess) -> bool:
    try:
        return not owner_is_alive(process.owner)
    except ValueError:  # another program's use of the same variable
        return False
