"""The processes below one: who they are, and what they use. Standard library only, for the guard."""

import contextlib
import os
from collections.abc import Collection
from typing import NamedTuple

PROC = "/proc"
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


class Usage(NamedTuple):
    """What a tree uses."""

    processes: int
    memory_mib: int


def descendants(root: int, child: int) -> list[int]:
    """Every process below `root`, to be killed: none that lives is missed for long.

    Without /proc (macOS) only `child` is known.
    """
    children, _ = _everybody()
    return _below(root, children) if children else [child]


def usages(roots: Collection[int]) -> dict[int, Usage]:
    """What the processes below each root use, pages that they share counted each time.

    One look at the whole machine, for many trees. Empty without /proc.
    """
    children, pages = _everybody(but=roots) if roots else ({}, {})
    trees = {root: _below(root, children) for root in roots} if children else {}
    return {
        root: Usage(len(tree), sum(pages[pid] for pid in tree) * PAGE // MIB) for root, tree in trees.items()
    }


def members(root: int) -> list[int]:
    """The same, to be counted: it reads only the tree, not the whole machine. Needs Linux."""
    found: list[int] = []
    pending = [root]
    while pending:
        below = _children(pending.pop())
        found += below
        pending += below
    return found


def memory_mib(pids: list[int], *, limit: int) -> int:
    """What they keep in memory, pages that they share counted once where that decides about the limit."""
    resident = sum(map(_resident, pids))
    return resident // MIB if resident <= limit * MIB else sum(map(_proportional, pids)) // MIB


def _everybody(but: Collection[int] = ()) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The children of each process, and its resident pages; `but` are not read. Empty without /proc."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(PROC)  # noqa: PTH208 - importing pathlib would cost 10 ms a start
        for pid in set(map(int, filter(str.isdigit, names))).difference(but):
            with contextlib.suppress(OSError):
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
    """A third of the time that `open` would take."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _children(pid: int) -> list[int]:
    """Those of each of its threads."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"{PROC}/{pid}/task"):  # noqa: PTH208
            with open(f"{PROC}/{pid}/task/{thread}/children", "rb") as children:  # noqa: PTH123
                found += map(int, children.read().split())
    return found


def _resident(pid: int) -> int:
    """Cheap, and never less than the proportional size. Bytes, 0 if the process is gone."""
    try:
        with open(f"{PROC}/{pid}/statm", "rb") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """The kernel shows it of processes that we may trace; of others the resident size must do."""
    try:
        with open(f"{PROC}/{pid}/smaps_rollup", "rb") as rollup:  # noqa: PTH123
            sizes = dict(line.split()[:2] for line in rollup.read().splitlines()[1:])
            return int(sizes[b"Pss:"]) * 1024
    except (OSError, KeyError):
        return _resident(pid)
