"""The diagnosis of a server that ended or could not start: a reason, a message, a hint. Pure."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_noop as _

from connector.lifecycle.known_failures import find_failure
from connector.lifecycle.startup_output import Cause, error_lines, find_cause, last_line
from connector.states import RestartPolicy
from core.message import Message, joined, stored


class ExitReason(StrEnum):
    """Why a server ended or did not start; the `class` in the API."""

    MISSING_BINARY = "missing_binary"
    PACKAGE_NOT_FOUND = "package_not_found"
    MISSING_VARIABLE = "missing_variable"
    MISSING_ARGUMENT = "missing_argument"
    MISSING_FILE = "missing_file"
    CREDENTIALS_REFUSED = "credentials_refused"
    UNSUPPORTED_RUNTIME = "unsupported_runtime"
    WRONG_PLATFORM = "wrong_platform"
    PERMISSION_DENIED = "permission_denied"
    DISK_FULL = "disk_full"
    PORT_TAKEN = "port_taken"
    UNTRUSTED_CERTIFICATE = "untrusted_certificate"
    STRAY_STDOUT = "noise_on_stdout"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    SESSION_EXPIRED = "session_expired"
    LOGIN_REQUIRED = "login_required"
    PROTOCOL_ERROR = "protocol_error"
    START_TIMEOUT = "start_timeout"
    WAITING = "waiting"
    INSTALLING = "installing"
    BROKEN_CACHE = "broken_cache"
    REPAIRED_CACHE = "repaired_cache"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    KILLED = "killed"
    CRASHED = "crashed"
    UNREACHABLE = "unreachable"
    UNREACHABLE_DEPENDENCY = "unreachable_dependency"
    UNRESPONSIVE = "unresponsive"
    MISCONFIGURED = "misconfigured"
    UNREADABLE_SECRET = "unreadable_secret"  # noqa: S105 - the name of a reason
    COMMAND_NOT_ALLOWED = "command_not_allowed"
    RUN_AS_REFUSED = "run_as_refused"
    URL_NOT_ALLOWED = "url_not_allowed"
    INVALID_TOOLS = "invalid_tools"
    NOT_LISTED = "not_listed"


HINTS = {
    ExitReason.MISSING_BINARY: _("Install the command where the workers run, or correct it."),
    ExitReason.PACKAGE_NOT_FOUND: _(
        "Check the package's name and version, and that its registry is reachable."
    ),
    ExitReason.MISSING_VARIABLE: _("Add the missing variable to the server's environment."),
    ExitReason.MISSING_ARGUMENT: _("Correct the server's arguments: its documentation says which it needs."),
    ExitReason.MISSING_FILE: _(
        "Create it where the workers run, or correct its path in the server's settings."
    ),
    ExitReason.CREDENTIALS_REFUSED: _(
        "Correct the token or password in the server's environment or arguments."
    ),
    ExitReason.UNSUPPORTED_RUNTIME: _("Install the version that it needs where the workers run."),
    ExitReason.WRONG_PLATFORM: _("Install a build for the workers' system, with the libraries it needs."),
    ExitReason.PERMISSION_DENIED: _("Allow it to the user that servers run as, or use another path."),
    ExitReason.DISK_FULL: _("Free some space where the workers run."),
    ExitReason.PORT_TAKEN: _("Stop what uses the port or give the server another; over stdio it needs none."),
    ExitReason.UNTRUSTED_CERTIFICATE: _("Have the workers' host trust your certificate authority."),
    ExitReason.STRAY_STDOUT: _("Make the server log to standard error: standard output is for the protocol."),
    ExitReason.SESSION_EXPIRED: _("Nothing: a new session is opened."),
    ExitReason.LOGIN_REQUIRED: _("Log in to the server, in the console or with client credentials."),
    ExitReason.PROTOCOL_MISMATCH: _("Use a version of the server that speaks a supported MCP version."),
    ExitReason.PROTOCOL_ERROR: _("Make the server log to standard error, and write one JSON message a line."),
    ExitReason.START_TIMEOUT: _("See why the server is slow to start, or raise its start time-out."),
    ExitReason.WAITING: _("Nothing: it starts in a moment."),
    ExitReason.INSTALLING: _("Nothing: the first start installs the package, which can take minutes."),
    ExitReason.BROKEN_CACHE: _("Delete the folder that the message names: the next start installs it anew."),
    ExitReason.REPAIRED_CACHE: _("Nothing: the next start installs the package, which can take minutes."),
    ExitReason.OUT_OF_MEMORY: _("Find out what it needs so much memory for, or give it or its host more."),
    ExitReason.TOO_MANY_PROCESSES: _("Find out why it starts so many processes, or raise MCP_PROCESS_LIMIT."),
    ExitReason.KILLED: _("Find out what killed it: often the operating system, for want of memory."),
    ExitReason.CRASHED: _("Read the last lines of its standard error."),
    ExitReason.UNREACHABLE: _("Check the server's address and headers, and that the workers can reach it."),
    ExitReason.UNREACHABLE_DEPENDENCY: _("Start the service that the message names, or correct its address."),
    ExitReason.UNRESPONSIVE: _("See why the server stopped answering; it is restarted."),
    ExitReason.INVALID_TOOLS: _("Correct the definitions in the server."),
    ExitReason.NOT_LISTED: _("Nothing, if you need its tools alone: they work. Else correct the server."),
    ExitReason.MISCONFIGURED: _("Correct the server's settings."),
    ExitReason.UNREADABLE_SECRET: _(
        "Restore the key in SECRET_ENCRYPTION_KEYS and restart, or enter it anew."
    ),
    ExitReason.COMMAND_NOT_ALLOWED: _("Use an allowed command, or have it allowed where the workers run."),
    ExitReason.RUN_AS_REFUSED: _("Let the workers switch users (as root), or leave MCP_RUN_AS empty."),
    ExitReason.URL_NOT_ALLOWED: _("Use a public address, or have this one allowed where the workers run."),
}

_RESTART_POLICIES = {
    ExitReason.UNREACHABLE: RestartPolicy.UNREACHABLE,
    ExitReason.SESSION_EXPIRED: RestartPolicy.NEW_SESSION,
    ExitReason.PROTOCOL_MISMATCH: RestartPolicy.NEEDS_CHANGE,
    ExitReason.LOGIN_REQUIRED: RestartPolicy.NEEDS_CHANGE,
    ExitReason.UNREADABLE_SECRET: RestartPolicy.NEEDS_CHANGE,
}

_OUT_OF_MEMORY = re.compile(
    r"heap out of memory|MemoryError|out of memory|Cannot allocate memory", re.IGNORECASE
)
_PACKAGE = re.compile(
    r"E404|404 Not Found - GET|not found in the package registry|No solution found|ETARGET"
    r"|could not determine executable to run",
    re.IGNORECASE,
)
_REASONS_OF_CAUSES = {
    Cause.CACHE: ExitReason.BROKEN_CACHE,
    Cause.MODULE: ExitReason.PACKAGE_NOT_FOUND,
    Cause.VARIABLE: ExitReason.MISSING_VARIABLE,
    Cause.DEPENDENCY: ExitReason.UNREACHABLE_DEPENDENCY,
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`message` and `hint` are for people and hold no secret. `code` and `signal` are a process's.

    `stage`: `start` until the tools were listed, then `run`; `tools` when definitions were left out.
    """

    stage: str
    reason: ExitReason
    message: str
    code: int | None = None
    signal: int | None = None

    @property
    def hint(self) -> str:
        return HINTS[self.reason]

    @property
    def restart_policy(self) -> RestartPolicy:
        return _RESTART_POLICIES.get(self.reason, RestartPolicy.CRASH)

    def as_error(self, at: str) -> dict[str, Any]:
        """Returns the error as it is stored, and shown without the message's parts; `at` is ISO 8601."""
        return {
            "stage": self.stage,
            "class": str(self.reason),
            **stored(self.message),
            "remedy": self.hint,
            "at": at,
        }

    def as_last_exit(self) -> dict[str, Any]:
        reason, hint = str(self.reason), self.hint
        return {"code": self.code, "signal": self.signal, "class": reason, "remedy": hint}


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """What is known of a stdio server that ended. `lived_s` counts from its start.

    `stage`: see `Diagnosis`; `excess`: see `stdio.StdioProcess`. `stray_stdout` is the beginning of the first
    line on standard output that was no message, `stdout` the last of these lines. Texts are redacted.
    """

    command: str
    stage: str
    lived_s: float
    code: int | None = None
    signal: int | None = None
    exec_errno: int | None = None
    excess: tuple[str, int] | None = None
    stderr: str = ""
    stray_stdout: str = ""
    stdout: str = ""


def warning(about_tools: str, about_capabilities: Sequence[str]) -> Diagnosis | None:
    """Returns what is wrong with a server that serves. A warning about its tools makes it degraded."""
    if about_tools:
        return Diagnosis("tools", ExitReason.INVALID_TOOLS, about_tools)
    if about_capabilities:
        return Diagnosis("capabilities", ExitReason.NOT_LISTED, joined(*about_capabilities))
    return None


def diagnose(info: ExitInfo) -> Diagnosis:
    """Returns the reason that explains most, tried from the surest sign to the weakest."""
    reason, message = _explain(info)
    return Diagnosis(info.stage, reason, message, info.code, info.signal)


def _explain(info: ExitInfo) -> tuple[ExitReason, str]:
    if info.exec_errno is not None:
        # 0: exec did not come to the kernel, because the command holds a NUL or the user is unknown.
        cause = os.strerror(info.exec_errno) if info.exec_errno else Message("it is not a valid command")
        return ExitReason.MISSING_BINARY, Message(
            "The command %(command)s cannot be run: %(cause)s.", command=repr(info.command), cause=cause
        )
    if info.excess is not None:
        return _exceeded(*info.excess)
    if _OUT_OF_MEMORY.search(info.stderr):
        return ExitReason.OUT_OF_MEMORY, Message("The server ran out of memory.")
    if info.signal is not None:
        return ExitReason.KILLED, Message(
            "The server was killed by signal %(signal)d after %(seconds)s s.",
            signal=info.signal,
            seconds=_lifetime(info),
        )
    return _explain_output(info) or _crashed(info)


def _explain_output(info: ExitInfo) -> tuple[ExitReason, str] | None:
    """Reads the reason from what the server wrote, if it never became ready."""
    # A server that ran wrote about many things: a missing key of an hour ago is not why it ended.
    if info.stage != "start":
        return None
    if found := explain_start(info.stderr, info.stdout):
        return found
    if _PACKAGE.search(info.stderr):
        return ExitReason.PACKAGE_NOT_FOUND, Message(
            "A package that %(command)s needs was not found.", command=repr(info.command)
        )
    if found := _known_failure(info.stderr, info.stdout, surest=False):
        return found
    if info.stray_stdout:
        return ExitReason.STRAY_STDOUT, Message(
            "The server wrote %(line)s where the protocol belongs.", line=repr(info.stray_stdout)
        )
    return None


def explain_start(stderr: str, stdout: str) -> tuple[ExitReason, str] | None:
    """Returns the cause that a server wrote before it was ready, on standard error or else on the other."""
    if found := _known_failure(stderr, stdout, surest=True):
        return found
    sign = None if _PACKAGE.search(stderr) else find_cause(stderr) or find_cause(stdout)
    return (_REASONS_OF_CAUSES[sign.cause], sign.message) if sign else None


def _known_failure(stderr: str, stdout: str, *, surest: bool) -> tuple[ExitReason, str] | None:
    for text in (stderr, stdout):
        if found := find_failure(error_lines(text), surest=surest):
            return ExitReason(found[0].value), found[1]
    return None


def _exceeded(resource: str, used: int) -> tuple[ExitReason, str]:
    if resource == "memory":
        return ExitReason.OUT_OF_MEMORY, Message(
            "With all that it started it used %(used)d MiB of memory, more than MCP_MEMORY_LIMIT.", used=used
        )
    message = Message("It had %(used)d processes, more than MCP_PROCESS_LIMIT.", used=used)
    return ExitReason.TOO_MANY_PROCESSES, message


def _crashed(info: ExitInfo) -> tuple[ExitReason, str]:
    # Only a shim that was killed itself reports neither code nor signal.
    if info.code is None:
        message = Message("The server disappeared after %(seconds)s s.", seconds=_lifetime(info))
        return ExitReason.KILLED, message
    values = {"code": info.code, "seconds": _lifetime(info)}
    if last := last_line(info.stderr):
        return ExitReason.CRASHED, Message(
            "The server ended with code %(code)d after %(seconds)s s: %(line)s", **values, line=last
        )
    return ExitReason.CRASHED, Message("The server ended with code %(code)d after %(seconds)s s.", **values)


def _lifetime(info: ExitInfo) -> str:
    return f"{info.lived_s:.1f}"
