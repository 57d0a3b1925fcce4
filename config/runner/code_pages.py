"""What a process has mapped of its programs' files: given back, it is mapped anew where it is needed."""

import ctypes
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

_LINES = rb"(?:[A-Z]\w+: .*\n)*?"
_FILE = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ \S+ +/.*\n"
    rb"%bAnonymous: +0 kB\n%bSwap: +0 kB" % (_LINES, _LINES),
    re.MULTILINE,
)


def let_go() -> None:
    """Gives back code and constants: of what loads a program, its process needs little again.

    Memory of this process alone stays, like the tables that its loader has filled in: no file has them, and
    what is swapped out of them would be lost.
    """
    try:
        mapped = Path("/proc/self/smaps").read_bytes()
    except OSError:  # only Linux has it, and not with every kernel
        return
    advise = ctypes.CDLL(None).madvise
    for start, end in of_files(mapped):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def of_files(mapped: bytes) -> Iterator[tuple[int, int]]:
    """Yields where those begin and end that have nothing but what is in their files (proc_pid_smaps(5))."""
    for found in _FILE.finditer(mapped):
        start, end = (int(address, 16) for address in found.groups())
        yield start, end
