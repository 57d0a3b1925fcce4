"""Children that are forks of the runner: they share the memory of what it has imported, and start at once."""

import ctypes
import gc
import math
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from config.runner.exec_wrapper import die_with

POLL_S = 0.01
M_ARENA_MAX = -8  # of mallopt(3): else each of many threads has a heap of its own


class Fork:
    """A fork that does what `python -m MODULE ARGUMENTS...` does; for its parent what `subprocess.Popen` is.

    Like a new process it has a session of its own, and no open file but `output`, a file descriptor, for what
    it prints. The kernel sends it `death_signal` when this process has ended. This process has no thread but
    the one that calls: a fork has no other, and what the others held would stay locked.
    """

    def __init__(self, argv: Sequence[str], output: int, death_signal: int) -> None:
        self.returncode: int | None = None
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(argv, output, parent, death_signal)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns its status. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        timeout = math.inf if timeout is None else timeout
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_S)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _live(argv: Sequence[str], output: int, parent: int, death_signal: int) -> NoReturn:
    status = 1
    try:
        status = _status(argv, output, parent, death_signal)
        sys.stdout.flush()
    finally:
        # Whatever happens, even where nothing can be printed any more: what called this is the parent's code,
        # which would stop its other children.
        os._exit(status)


def _status(argv: Sequence[str], output: int, parent: int, death_signal: int) -> int:
    """Lives the life of the fork, and returns its exit status."""
    try:
        _begin_anew(output, parent, death_signal)
        _show_as(argv)
        _, _, module, *arguments = argv
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - the top of a process
        traceback.print_exc()
        return 1
    return 0


def _begin_anew(output: int, parent: int, death_signal: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Until it has a handler of its own, and for uvicorn, which raises the signal anew when it has shut down:
    # then a thread that waits for a frozen database must not hold the process up.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_OK))
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them DATA_DIR's lock
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    die_with(parent, death_signal)
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    gc.enable()


def _show_as(argv: Sequence[str]) -> None:
    """Has `ps` show this command line. Linux keeps it in memory, with the first environment behind it."""
    if sys.platform != "linux":
        return
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, arguments_end, _, end = map(int, fields[45:49])
    if not 0 < start < arguments_end <= end:  # hidden from this process
        return
    for name, value in os.environ.items():
        os.putenv(name, value)  # C's copies of them, which children inherit, leave that memory
    line = " ".join(argv).encode()[: end - start - 1]
    # Where no zero ends the arguments, the kernel reads on until it finds one.
    ctypes.memmove(start, line.ljust(arguments_end - start, b" ").ljust(end - start, b"\0"), end - start)
