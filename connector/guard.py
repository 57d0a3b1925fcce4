"""The guard between a worker and one MCP server: no process of the server outlives its owner.

Run as `python -I -S guard.py CONTROL_FD OWNER_PID LEASE_S MARK COMMAND [ARG]...`, with the standard library
only: it must start fast and not depend on the product. Standard input, output and error belong to the server.

CONTROL_FD is one end of a socket pair. The owner writes lines `<seconds>`: how long its lease still lasts.
When that time passes without another line the tree is killed; the end of the stream is a request to stop.
The guard writes `pid N` when the server runs or `exec ERRNO` when it cannot, and `exit N` or `signal N` once
it has ended.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TERM_GRACE_S = 1.0
EXEC_FAILED = 127
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine is suspended
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # ignored since the interpreter started


def now() -> float:
    return time.clock_gettime(CLOCK)


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def owner_descriptor(pid: int) -> int | None:
    """Readable once the owner process has ended; None where the kernel has no pidfd."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def spawn(command: list[str], environment: Mapping[str, str], report: Callable[[str], None]) -> int:
    """Fork and execute. The parent-death signal is safe here only because the guard has a single thread."""
    guard = os.getpid()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(EXEC_FAILED)
        for number in SIGNALS + CHANGED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is the point
        except (OSError, ValueError) as error:
            os.write(write_end, str(getattr(error, "errno", None) or 0).encode())
        os._exit(EXEC_FAILED)
    os.close(write_end)
    failure = os.read(read_end, 16)  # end of file: close-on-exec, so the server runs
    os.close(read_end)
    report(f"exec {failure.decode()}" if failure else f"pid {child}")
    return child


def descendants(root: int, child: int) -> list[int]:
    """Every process below `root`. Without /proc (macOS) only `child` is known."""
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - importing pathlib would cost 10 ms a start
    except OSError:
        return [child]
    for name in filter(str.isdigit, names):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
            parent = stat.read().rpartition(b")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


class Guard:
    def __init__(self, control: int, owner_pid: int, lease_s: float, mark: str, command: list[str]) -> None:
        self.control, self.owner, self.command = control, owner_descriptor(owner_pid), command
        self.owner_pid, self.deadline = owner_pid, now() + lease_s
        self.environment = {**os.environ, "MCPC_ID": mark}
        self.stopping = False
        self.child = 0
        self.status: int | None = None
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(wakeup_writer, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self.on_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the thread that started us may block some

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = self.stopping or number != signal.SIGCHLD

    def report(self, line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.control, line.encode() + b"\n")

    def run(self) -> int:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() != self.owner_pid:
            return EXEC_FAILED
        self.child = spawn(self.command, self.environment, self.report)
        let_go_of_the_pipes()
        grace = TERM_GRACE_S
        while not self.stopping and self.status is None:
            self.wait(max(0.0, self.deadline - now()))
            self.reap()
            if now() >= self.deadline:  # the owner is frozen: the lease is about to be somebody else's
                self.stopping, grace = True, 0.0
        self.kill_tree(grace)
        return exit_status(self.status)

    def wait(self, seconds: float) -> None:
        watched = [fd for fd in (self.wakeup, self.control, self.owner) if fd is not None]
        ready = select.select(watched, [], [], seconds)[0]
        if self.wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakeup, 4096)
        if self.owner in ready:
            self.stopping = True
        if self.control in ready:
            self.hear()

    def hear(self) -> None:
        try:
            said = os.read(self.control, 4096)
        except OSError:
            said = b""
        if not said:
            self.stopping = True
        lines = said.split(b"\n")[:-1]
        if lines:
            self.deadline = now() + float(lines[-1])

    def reap(self) -> bool:
        """True when no child is left, grandchildren included: orphans become ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.child:
                self.status = status
                code = os.waitstatus_to_exitcode(status)
                self.report(f"exit {code}" if code >= 0 else f"signal {-code}")

    def kill_tree(self, grace: float) -> None:
        number, until = signal.SIGTERM if grace else signal.SIGKILL, now() + grace
        while not self.reap():
            for pid in descendants(os.getpid(), self.child):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            while number == signal.SIGTERM and now() < until and not self.reap():
                select.select([self.wakeup], [], [], 0.02)
            if number == signal.SIGKILL:
                time.sleep(0.01)
            number = signal.SIGKILL


def exit_status(status: int | None) -> int:
    """As a shell passes it on."""
    code = EXEC_FAILED if status is None else os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def let_go_of_the_pipes() -> None:
    """End of file on them must mean the server's end, not the guard's."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def main(argv: list[str]) -> None:
    control, owner_pid, lease_s, mark, *command = argv
    os.set_inheritable(int(control), False)
    os._exit(Guard(int(control), int(owner_pid), float(lease_s), mark, command).run())


if __name__ == "__main__":
    main(sys.argv[1:])
