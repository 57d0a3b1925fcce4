"""Usage: how many processes a tree has, and how much memory. Needs Linux."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from connector.host import PROC
from connector.process import tree

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


class Usage(NamedTuple):
    """What the processes of a tree use together."""

    processes: int
    memory_mib: int


def usages(roots: Collection[int]) -> dict[int, Usage]:
    """Measures what is below each root, by one scan of the machine. No root may be below another one.

    Pages that processes share are counted for each of them. Empty without /proc.
    """
    if not roots:
        return {}
    children, pages = tree.scan(skip=roots)
    trees = {root: tree.below(root, children) for root in roots} if children else {}
    return {
        root: Usage(len(pids), sum(pages[pid] for pid in pids) * PAGE // MIB) for root, pids in trees.items()
    }


def exact_usage(root: int, *, memory_limit_mib: int) -> Usage:
    """Measures what is below one root, without a scan of the machine.

    Shared pages count once if that decides whether the memory is over the limit; with the limit 0 the memory
    is not measured.
    """
    pids = _members(root)
    return Usage(len(pids), _memory_mib(pids, memory_limit_mib) if memory_limit_mib else 0)


def _members(root: int) -> list[int]:
    found: list[int] = []
    pending = [root]
    while pending:
        its_children = _children(pending.pop())
        found += its_children
        pending += its_children
    return found


def _memory_mib(pids: list[int], limit_mib: int) -> int:
    resident = sum(map(_resident, pids))
    # The proportional size costs a walk through every page table, and can only be smaller.
    return resident // MIB if resident <= limit_mib * MIB else sum(map(_proportional, pids)) // MIB


def _children(pid: int) -> list[int]:
    """Returns the children of a process: each of its threads has a list of its own."""
    found: list[int] = []
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            found += map(int, (thread / "children").read_bytes().split())
    return found


def _resident(pid: int) -> int:
    """Returns the resident bytes of a process, which are cheap to read; 0 if it has ended."""
    try:
        return int(_file(pid, "statm").read_bytes().split()[1]) * PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Returns the bytes of a process, of which shared ones count in parts (PSS)."""
    try:
        lines = _file(pid, "smaps_rollup").read_bytes().splitlines()[1:]
        sizes = dict(line.split()[:2] for line in lines)
        return int(sizes[b"Pss:"]) * 1024
    except (OSError, KeyError):
        # The kernel shows it only of processes that we may trace: not of MCP_RUN_AS's without CAP_SYS_PTRACE.
        return _resident(pid)


def _file(pid: int, name: str) -> Path:
    return PROC / str(pid) / name
