"""The user that a server runs as, and the limits it starts with. Standard library only, for the shim."""

import ctypes
import os
import pwd
import resource
import sys

PR_SET_NO_NEW_PRIVS = 38
UMASK = 0o077


class Confinement:
    """How one server is confined. 0 open files sets no limit; an empty `user` is the worker's own.

    Written as text (`<open files>:<user>`), it is an argument of the shim.
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

    def apply(self) -> None:
        """Confines this process, between fork and exec. Raises OSError, or KeyError for an unknown user."""
        os.umask(UMASK)
        # A core dump would write the server's memory, and with it its secrets, to disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # RLIMIT_AS and RLIMIT_NPROC are not set: the one stops node at its start, because V8 reserves address
        # space that it never uses, the other counts every process of the user. The resource monitor measures.
        if self.open_files:
            _lower_limit(resource.RLIMIT_NOFILE, self.open_files)
        if self.user:
            switch_user(pwd.getpwnam(self.user))
        if sys.platform == "linux":
            # No setuid program can give back what the lines above took away.
            ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def switch_user(account: pwd.struct_passwd) -> None:
    """Sets groups, group and user, in this order: without the old user's rights groups cannot be set."""
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _lower_limit(kind: int, limit: int) -> None:
    """Sets both limits of a resource; a hard limit that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    # Raising a hard limit needs CAP_SYS_RESOURCE, and the one set from outside is meant.
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (allowed, allowed))
