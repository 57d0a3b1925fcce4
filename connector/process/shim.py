"""The guard between a worker and one MCP server: no process of the server outlives its owner.

Run as `python -I -S shim.py CONTROL_FD OWNER_PID LEASE_S MARK CONFINEMENT COMMAND [ARG]...`, with the
standard library only: it must start fast. Standard input, output and error belong to the server.

CONTROL_FD is one end of a socket pair. The owner writes lines `<until>`: how long its lease lasts, by CLOCK.
The guard reads them when the time before has passed: mostly it sleeps. When the lease has ended without
another line the tree is killed; the end of the stream is a request to stop, SIGUSR1 one to kill at once.
The guard writes `pid N` when the server runs or `exec ERRNO` when it cannot, and `exit N` or `signal N` once
the server has ended.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
import warnings  # noqa: F401 - os.execvpe imports it, which the server's user may not be able to
from collections.abc import Callable, Mapping
from types import FrameType

if __name__ == "__main__":  # run by its path in isolation, it would not find its own package
    sys.path.append(os.path.abspath(f"{__file__}/../../.."))  # noqa: PTH100

from connector.process.confinement import Confinement
from connector.process.tree import descendants

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TERM_GRACE_S = 1.0
EXEC_FAILED = 127
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine is suspended
KILL = signal.SIGUSR1
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, KILL)
# A server must not inherit what Python, or the shell that began it all, ignores.
ORDINARY = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


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


def spawn(
    command: list[str],
    environment: Mapping[str, str],
    confinement: Confinement,
    report: Callable[[str], None],
) -> int:
    """Fork and execute. The parent-death signal is safe here only because the guard has a single thread."""
    guard = os.getpid()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        for number in ORDINARY:
            signal.signal(number, signal.SIG_DFL)
        try:
            confinement.enter()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the kernel forgets it when the user changes
            if os.getppid() != guard:
                os._exit(EXEC_FAILED)
            os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is the point
        except (OSError, ValueError, KeyError) as error:
            os.write(write_end, str(getattr(error, "errno", None) or 0).encode())
        finally:
            os._exit(EXEC_FAILED)
    os.close(write_end)
    failure = os.read(read_end, 16)  # end of file: close-on-exec, so the server runs
    os.close(read_end)
    report(f"exec {failure.decode()}" if failure else f"pid {child}")
    return child


class Guard:
    def __init__(
        self, control: int, owner_pid: int, lease_s: float, confinement: Confinement, command: list[str]
    ) -> None:
        self.control, self.owner, self.command = control, owner_descriptor(owner_pid), command
        self.owner_pid, self.deadline = owner_pid, now() + lease_s
        self.confinement = confinement
        self.stopping = False
        self.grace = TERM_GRACE_S
        self.child = 0
        self.status: int | None = None
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(wakeup_writer, False)
        os.set_blocking(control, False)
        self.events = select.poll()
        self.events.register(control, 0)  # only its end wakes
        for descriptor in (self.wakeup, self.owner):
            if descriptor is not None:
                self.events.register(descriptor, select.POLLIN)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self.on_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the thread that started us may block some

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = self.stopping or number != signal.SIGCHLD
        if number == KILL:
            self.grace = 0.0

    def report(self, line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.control, line.encode() + b"\n")

    def run(self, mark: str) -> int:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() != self.owner_pid:
            return EXEC_FAILED
        environment = {**os.environ, "MCPC_ID": mark}
        self.child = spawn(self.command, environment, self.confinement, self.report)
        let_go_of_the_pipes()
        while not self.stopping and self.status is None:
            self.wait(max(0.0, self.deadline - now()))
            self.reap()
            if now() >= self.deadline:  # the owner is frozen: the lease is about to be somebody else's
                self.stopping, self.grace = True, 0.0
        self.kill_tree()
        return exit_status(self.status)

    def wait(self, seconds: float) -> None:
        ready = dict(self.events.poll(seconds * 1000))
        if self.wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakeup, 4096)
        if self.owner in ready:
            self.stopping = True
        self.hear()

    def hear(self) -> None:
        try:
            said = os.read(self.control, 4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self.stopping = True
        lines = said.split(b"\n")[:-1]
        if lines:
            self.deadline = float(lines[-1])

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

    def kill_tree(self) -> None:
        number, until = signal.SIGTERM if self.grace else signal.SIGKILL, now() + self.grace
        while not self.reap():
            for pid in descendants(os.getpid(), self.child):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            while number == signal.SIGTERM and self.grace and now() < until and not self.reap():
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
    control, owner_pid, lease_s, mark, confinement, *command = argv
    os.set_inheritable(int(control), False)
    guard = Guard(int(control), int(owner_pid), float(lease_s), Confinement.parse(confinement), command)
    os._exit(guard.run(mark))


if __name__ == "__main__":
    main(sys.argv[1:])
