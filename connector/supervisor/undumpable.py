"""Makes a worker non-dumpable: MCP servers that run as its own user cannot read its secrets."""

import ctypes
import sys

PR_SET_DUMPABLE = 4


def make_non_dumpable() -> None:
    """Makes this process's memory and environment unreadable except for those who may trace everybody.

    What it starts is dumpable again, because exec resets the flag: the resource monitor can measure servers.
    Needs Linux.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
