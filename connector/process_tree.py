"""The processes below one: who they are, and what they use. Standard library only, for the guard."""

import contextlib
import os

PROC = "/proc"
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


def descendants(root: int, child: int) -> list[int]:
    """Every process below `root`, to be killed: none that lives is missed for long.

    Without /proc (macOS) only `child` is known.
    """
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir(PROC)  # noqa: PTH208 - importing pathlib would cost 10 ms a start
    except OSError:
        return [child]
    for name in filter(str.isdigit, names):
        with contextlib.suppress(OSError), open(f"{PROC}/{name}/stat", "rb") as stat:  # noqa: PTH123
            parent = stat.read().rpartition(b")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


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
