"""MCP_RUN_AS: MCP servers run as another user than the worker, where the worker may switch users."""

import os
import pwd
import sys
from pathlib import Path

from django.conf import settings

from core.message import Message

_STATUS = Path("/proc/self/status")
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 1 << 5, 1 << 6, 1 << 7
_NEEDED = _CAP_KILL | _CAP_SETGID | _CAP_SETUID


class RunAsRefused(Exception):
    """No server can be started as MCP_RUN_AS demands. The text is for people."""


class UserUnknown(RunAsRefused):
    """This host has no such user."""


def account() -> pwd.struct_passwd | None:
    """Returns the user that MCP servers run as; None for the worker's own user. Raises RunAsRefused."""
    if not settings.MCP_RUN_AS:
        return None
    try:
        found = pwd.getpwnam(settings.MCP_RUN_AS)
    except KeyError as error:
        raise UserUnknown(
            Message(
                "MCP_RUN_AS names %(user)s, whom this host does not know.", user=repr(settings.MCP_RUN_AS)
            )
        ) from error
    if found.pw_uid == os.geteuid():
        return None
    if not _may_switch():
        raise RunAsRefused(
            Message(
                "MCP_RUN_AS names %(user)s, but this worker may not switch users.", user=repr(found.pw_name)
            )
        )
    return found


def _may_switch() -> bool:
    """Whether this process may become another user, and kill that user's processes."""
    if sys.platform != "linux":
        return os.geteuid() == 0
    # Not by the user id: a container's root may lack the capabilities that make it root.
    lines = dict(line.split(":\t", 1) for line in _STATUS.read_text().splitlines() if ":\t" in line)
    return int(lines["CapEff"], 16) & _NEEDED == _NEEDED
