"""What a server may use, and as whom it runs. Standard library only, for the guard."""

import ctypes
import os
import pwd
import resource
import sys

PR_SET_NO_NEW_PRIVS = 38
UMASK = 0o077


class Confinement:
    """Of one server. A limit of 0 is none; `user` is empty to go on as the worker's.

    As text it is one argument of the guard: `<open files>:<user>`.
    """

    def __init__(self, open_files: int, user: str) -> None:
        self.open_files = open_files
        self.user = user

    @classmethod
    def parse(cls, text: str) -> "Confinement":
        open_files, user = text.split(":", 1)
        return cls(int(open_files), user)

    def __str__(self) -> str:
        return f"{self.open_files}:{self.user}"

    def enter(self) -> None:
        """In the child, before it becomes the server. Raises OSError, or KeyError for an unknown user."""
        os.umask(UMASK)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.open_files:
            _lower(resource.RLIMIT_NOFILE, self.open_files)
        if self.user:
            become(pwd.getpwnam(self.user))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(account: pwd.struct_passwd) -> None:
    """Groups first: afterwards they could not be changed any more."""
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _lower(kind: int, limit: int) -> None:
    """A limit that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (allowed, allowed))
