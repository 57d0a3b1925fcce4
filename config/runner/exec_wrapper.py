"""Runs a command that must not outlive its parent: `guard.py PARENT_PID SIGNAL USER COMMAND...`.

The kernel sends SIGNAL (a number) to the command when PARENT_PID is gone, however it went. USER is a name to
change to, or empty. A file of its own, run without site-packages, because the change has to happen between
fork and exec, where a parent with threads cannot safely run Python. Elsewhere than on Linux it only starts
the command.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(name: str) -> None:
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def die_with(parent: int, signal: int) -> None:
    """After `become`: the kernel forgets the signal when the user changes."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent died before its child began")


def main() -> None:
    parent, signal, user, *command = sys.argv[1:]
    if user:
        become(user)
    die_with(int(parent), int(signal))
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the runner's own
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
