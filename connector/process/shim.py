"""The shim is the process between a worker and one MCP server: no process of the server outlives its worker.

Run as `python -I -S shim.py CONTROL_FD OWNER_PID LEASE_S MARKER CONFINEMENT COMMAND [ARG]...`, with the
standard library only, because it must start fast. Standard input, output and error belong to the server.

The shim kills the server's whole process tree when
- its owner, the worker, has ended, as a pidfd shows and the end of the stream CONTROL_FD (a socket pair);
- the owner is frozen: it writes lines `<until>` to CONTROL_FD, the time by CLOCK when its lease ends, and
  that time has passed without a later line. The shim reads lines only when the time before has passed: it
  sleeps;
- it gets SIGTERM (the tree gets SIGTERM, and SIGKILL after a second) or SIGUSR1 (SIGKILL at once);
- the server has ended, and has left other processes behind.

It writes to CONTROL_FD `pid N` when the server runs or `exec ERRNO` when it cannot, and `exit N` or `signal
N` once the server has ended. It ends when nothing of the tree is left.
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
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, KILL)
# A server must not inherit what Python, or the shell that began it all, ignores.
RESET_FOR_SERVER = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def now() -> float:
    return time.clock_gettime(CLOCK)


def prctl(option: int, value: int) -> None:
    """Does nothing where there is no prctl: only Linux has it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def open_pidfd(pid: int) -> int | None:
    """Returns a descriptor that becomes readable when the process ends; None without pidfds (macOS)."""
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
    """Forks and executes the server; returns its process id, also of a child that could not execute it."""
    shim = os.getpid()
    # Close-on-exec: the pipe ends without a byte when the server runs, and holds the errno when it cannot.
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        for number in RESET_FOR_SERVER:
            signal.signal(number, signal.SIG_DFL)
        try:
            confinement.apply()
            # After the switch of users, at which the kernel forgets it. It is tied to the thread that forked,
            # not to the process: safe here only because the shim has a single thread.
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            # A shim that was killed before the line above sends no signal any more.
            if os.getppid() != shim:
                os._exit(EXEC_FAILED)
            os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is the point
        except (OSError, ValueError, KeyError) as error:
            os.write(write_end, str(getattr(error, "errno", None) or 0).encode())
        finally:
            os._exit(EXEC_FAILED)
    os.close(write_end)
    errno = os.read(read_end, 16)
    os.close(read_end)
    report(f"exec {errno.decode()}" if errno else f"pid {child}")
    return child


class Shim:
    """Runs one server and kills its tree. `status` is the server's wait status once it has ended."""

    def __init__(
        self, control: int, owner_pid: int, lease_s: float, confinement: Confinement, command: list[str]
    ) -> None:
        self.control, self.owner, self.command = control, open_pidfd(owner_pid), command
        self.owner_pid, self.deadline = owner_pid, now() + lease_s
        self.confinement = confinement
        self.stopping = False
        self.grace_s = TERM_GRACE_S
        self.child = 0
        self.status: int | None = None
        # A signal that arrives just before poll() would otherwise be noticed only at its time-out.
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(wakeup_writer, False)
        os.set_blocking(control, False)
        self.events = select.poll()
        # No event but the stream's end wakes: reading each line at once would wake every shim every 5 s.
        self.events.register(control, 0)
        for descriptor in (self.wakeup, self.owner):
            if descriptor is not None:
                self.events.register(descriptor, select.POLLIN)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self.on_signal)
        # The worker's thread that started us may block some, and a blocked mask is inherited.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = self.stopping or number != signal.SIGCHLD
        if number == KILL:
            self.grace_s = 0.0

    def report(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the owner has ended, or does not read: it is no reason to stop
            os.write(self.control, line.encode() + b"\n")

    def run(self, marker: str) -> int:
        """Returns the exit code for this process, once nothing of the tree is left."""
        # A process whose parent ends becomes our child, and not init's: nothing escapes by a double fork.
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        # The owner may have ended before the pidfd was opened, and its id may already be another process's.
        if os.getppid() != self.owner_pid:
            return EXEC_FAILED
        environment = {**os.environ, "MCPC_ID": marker}
        self.child = spawn(self.command, environment, self.confinement, self.report)
        release_standard_streams()
        while not self.stopping and self.status is None:
            self.wait(max(0.0, self.deadline - now()))
            self.reap()
            # `wait` has read what the owner wrote: past the deadline now means that it is frozen, and another
            # worker may claim the server in two seconds. No time for a grace.
            if now() >= self.deadline:
                self.stopping, self.grace_s = True, 0.0
        self.kill_tree()
        return exit_code(self.status)

    def wait(self, seconds: float) -> None:
        """Sleeps until a signal, the owner's end or the time-out, then reads the owner's lines."""
        ready = dict(self.events.poll(seconds * 1000))
        if self.wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakeup, 4096)
        if self.owner in ready:
            self.stopping = True
        self.read_control()

    def read_control(self) -> None:
        try:
            data = os.read(self.control, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.stopping = True
        lines = data.split(b"\n")[:-1]
        if lines:
            self.deadline = float(lines[-1])

    def reap(self) -> bool:
        """Collects what has ended; returns whether no child is left, grandchildren included."""
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
        """SIGTERM, if there is a grace, and SIGKILL after it; returns once nothing is left."""
        number, until = signal.SIGTERM if self.grace_s else signal.SIGKILL, now() + self.grace_s
        # Again and again: a process may fork between the scan and the signal.
        while not self.reap():
            for pid in descendants(os.getpid(), self.child):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            # SIGUSR1 may end the grace early.
            while number == signal.SIGTERM and self.grace_s and now() < until and not self.reap():
                select.select([self.wakeup], [], [], 0.02)
            if number == signal.SIGKILL:
                time.sleep(0.01)
            number = signal.SIGKILL


def exit_code(status: int | None) -> int:
    """Returns the exit code that a shell would give for a wait status: 128 + N for signal N."""
    code = EXEC_FAILED if status is None else os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def release_standard_streams() -> None:
    """Closes our copies of the server's pipes: end of file must mean the server's end, not the shim's."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def close_all_but(control: int) -> None:
    """Closes all but this and the standard streams: uvloop passes on what some library left inheritable."""
    os.closerange(3, control)
    os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))


def main(argv: list[str]) -> None:
    control, owner_pid, lease_s, marker, confinement, *command = argv
    close_all_but(int(control))
    # The server must not hold the control socket: the owner takes the end of it for the end of the shim.
    os.set_inheritable(int(control), False)
    shim = Shim(int(control), int(owner_pid), float(lease_s), Confinement.parse(confinement), command)
    os._exit(shim.run(marker))


if __name__ == "__main__":
    main(sys.argv[1:])
