"""The sampler scans /proc all the time: who owns which MCP server's processes, and which are orphans."""

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from connector.host import start_time

PROC = Path("/proc")
PERIOD_S = 0.05
ORPHAN_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A process of an MCP server, or a shim, which has no owner in its environment."""

    pid: int
    started: int
    owner: str
    slot: str

    @property
    def is_alive(self) -> bool:
        return start_time(self.pid) == self.started

    @property
    def owner_pid(self) -> int:
        return int(self.owner.partition("-")[0])


class Sampler(threading.Thread):
    """`overlaps`: slots with two owners at one instant. `orphans`: what outlived its owner or shim for 5 s.

    `knows_owners=False`: owners have process ids of another namespace, so orphans cannot be recognized.
    """

    def __init__(self, run: str, *, knows_owners: bool = True) -> None:
        super().__init__(name="sampler", daemon=True)
        self.samples = 0
        self.overlaps: list[str] = []
        self.orphans: list[str] = []
        self._marker = f"CHAOS_RUN={run}".encode()
        self._knows_owners = knows_owners
        self._candidates: dict[Seen, float] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self._sample()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def everything(self) -> list[Seen]:
        """Returns every process of the run that lives now, shims included."""
        return [seen for pid in _pids() if (seen := self._read(pid)) is not None]

    def servers(self) -> list[Seen]:
        return [seen for seen in self.everything() if seen.owner]

    def owners(self) -> dict[str, set[str]]:
        """Returns the owners by slot (`<server>.<number>`)."""
        found: dict[str, set[str]] = defaultdict(set)
        for seen in self.servers():
            found[seen.slot].add(seen.owner)
        return found

    def kill_everything(self) -> None:
        """Kills every process of the run."""
        for seen in self.everything():
            with suppress(ProcessLookupError):
                os.kill(seen.pid, signal.SIGKILL)

    def _sample(self) -> None:
        by_slot: dict[str, list[Seen]] = defaultdict(list)
        servers = self.servers()
        for seen in servers:
            by_slot[seen.slot].append(seen)
        for slot, processes in by_slot.items():
            self._find_overlap(slot, processes)
        if self._knows_owners:
            self._find_orphans(servers)
        self.samples += 1

    def _find_overlap(self, slot: str, processes: Iterable[Seen]) -> None:
        """Finds two owners at one instant: one must live before and after the other has been read."""
        for one, other in combinations(processes, 2):
            if one.owner != other.owner and one.is_alive and other.is_alive and one.is_alive:
                self.overlaps.append(f"{slot}: {one} and {other}")

    def _find_orphans(self, servers: Iterable[Seen]) -> None:
        now = time.monotonic()
        candidates = {seen for seen in servers if not _descends(seen.pid, seen.owner_pid) and seen.is_alive}
        self._candidates = {seen: self._candidates.get(seen, now) for seen in candidates}
        for seen, since in self._candidates.items():
            if now - since > ORPHAN_AFTER_S and str(seen) not in self.orphans:
                self.orphans.append(str(seen))

    def _read(self, pid: int) -> Seen | None:
        started = start_time(pid)
        try:
            variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return None
        if started is None or self._marker not in variables:
            return None
        marks = [entry for entry in variables if entry.startswith(b"MCPC_ID=")] or [b""]
        owner, _, slot = marks[0].removeprefix(b"MCPC_ID=").decode().rpartition("/")
        return Seen(pid, started, owner, slot)


def parent(pid: int) -> int:
    """Returns the parent's process id; 0 when the process has ended."""
    try:
        return int((PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]  # noqa: PTH208 - twice as fast


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        pid = parent(pid)
        if pid == ancestor:
            return True
    return False
