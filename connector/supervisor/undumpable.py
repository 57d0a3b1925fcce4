"""Keeps a worker's secrets from the MCP servers that run as its own user."""

import ctypes
import sys

PR_SET_DUMPABLE = 4


def hide() -> None:
    """Nobody may read this process's memory and environment any more, nor dump it, but who may trace all.

    What it starts is as open as ever. Needs Linux.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
