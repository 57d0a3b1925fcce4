"""Executes a command that must not outlive its parent: `exec_wrapper.py PARENT_PID SIGNAL USER COMMAND...`.

The kernel sends SIGNAL (a number) to the command when PARENT_PID has ended, for whatever reason. USER is the
name of a user to change to, or empty. This is a program of its own, without imports from site-packages,
because both have to happen between fork and exec, where a parent with threads cannot safely run Python
(preexec_fn). On systems other than Linux no signal is sent.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(name: str) -> None:
    user = pwd.getpwnam(name)
    os.setgroups([])  # first: afterwards this process has no right to it
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def die_with(parent: int, signal: int) -> None:
    """Call it after `become`: the kernel clears the setting when the user changes (prctl(2))."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    # The parent may have died before prctl: then no signal will ever come.
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
