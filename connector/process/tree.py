"""Process trees: which processes are below one, and what they use. Standard library only, for the shim."""

import contextlib
import os
from collections.abc import Collection
from typing import NamedTuple

PROC = "/proc"
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


class Usage(NamedTuple):
    """What the processes of a tree use together."""

    processes: int
    memory_mib: int


def descendants(root: int, child: int) -> list[int]:
    """Returns every process below `root`, found by one scan of the machine; callers kill them and ask again.

    Without /proc (macOS) only `child` is known.
    """
    children, _ = _scan()
    return _below(root, children) if children else [child]


def usages(roots: Collection[int]) -> dict[int, Usage]:
    """Measures what is below each root, by one scan of the machine. No root may be below another one.

    Pages that processes share are counted for each of them. Empty without /proc.
    """
    children, pages = _scan(skip=roots) if roots else ({}, {})
    trees = {root: _below(root, children) for root in roots} if children else {}
    return {
        root: Usage(len(tree), sum(pages[pid] for pid in tree) * PAGE // MIB) for root, tree in trees.items()
    }


def members(root: int) -> list[int]:
    """Returns the processes below `root`, reading only that tree and not the whole machine. Needs Linux."""
    found: list[int] = []
    pending = [root]
    while pending:
        below = _children(pending.pop())
        found += below
        pending += below
    return found


def memory_mib(pids: list[int], *, limit: int) -> int:
    """Returns what the processes keep in memory, in MiB.

    Shared pages count once if that decides whether the sum is over `limit` (in MiB).
    """
    resident = sum(map(_resident, pids))
    # The proportional size costs a walk through every page table, and can only be smaller.
    return resident // MIB if resident <= limit * MIB else sum(map(_proportional, pids)) // MIB


def _scan(skip: Collection[int] = ()) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Returns the children and the resident pages of each process except `skip`. Empty without /proc."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(PROC)  # noqa: PTH208 - importing pathlib would cost 10 ms a start
        for pid in set(map(int, filter(str.isdigit, names))).difference(skip):
            with contextlib.suppress(OSError):  # it has ended since the directory was listed
                # The program's name comes in parentheses and may hold any character: split behind the last
                # one.
                fields = _read(f"{PROC}/{pid}/stat").rpartition(b")")[2].split(None, 22)
                children.setdefault(int(fields[1]), []).append(pid)
                pages[pid] = int(fields[21])
    return children, pages


def _below(root: int, children: dict[int, list[int]]) -> list[int]:
    found: list[int] = []
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _read(path: str) -> bytes:
    """Returns the beginning of a file, in a third of the time that `open` would take."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _children(pid: int) -> list[int]:
    """Returns the children of a process: each of its threads has a list of its own."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"{PROC}/{pid}/task"):  # noqa: PTH208
            with open(f"{PROC}/{pid}/task/{thread}/children", "rb") as children:  # noqa: PTH123
                found += map(int, children.read().split())
    return found


def _resident(pid: int) -> int:
    """Returns the resident bytes of a process, which are cheap to read; 0 if it has ended."""
    try:
        with open(f"{PROC}/{pid}/statm", "rb") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Returns the bytes of a process, of which shared ones count in parts (PSS)."""
    try:
        with open(f"{PROC}/{pid}/smaps_rollup", "rb") as rollup:  # noqa: PTH123
            sizes = dict(line.split()[:2] for line in rollup.read().splitlines()[1:])
            return int(sizes[b"Pss:"]) * 1024
    except (OSError, KeyError):
        # The kernel shows it only of processes that we may trace: not of MCP_RUN_AS's, without
        # CAP_SYS_PTRACE.
        return _resident(pid)
