"""Why a server ended or could not start: one class, one message, one line on what to do. Pure."""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.states import Prospect


class ExitClass(StrEnum):
    MISSING_BINARY = "missing_binary"
    PACKAGE_NOT_FOUND = "package_not_found"
    MISSING_VARIABLE = "missing_variable"
    NOISE_ON_STDOUT = "noise_on_stdout"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    SESSION_EXPIRED = "session_expired"
    LOGIN_REQUIRED = "login_required"
    PROTOCOL_ERROR = "protocol_error"
    START_TIMEOUT = "start_timeout"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    KILLED = "killed"
    CRASHED = "crashed"
    UNREACHABLE = "unreachable"
    UNRESPONSIVE = "unresponsive"
    MISCONFIGURED = "misconfigured"
    COMMAND_NOT_ALLOWED = "command_not_allowed"
    RUN_AS_REFUSED = "run_as_refused"
    URL_NOT_ALLOWED = "url_not_allowed"
    INVALID_TOOLS = "invalid_tools"


REMEDIES = {
    ExitClass.MISSING_BINARY: "Install the command where the workers run, or correct it.",
    ExitClass.PACKAGE_NOT_FOUND: "Check the package's name and version, and that its registry is reachable.",
    ExitClass.MISSING_VARIABLE: "Add the missing variable to the server's environment.",
    ExitClass.NOISE_ON_STDOUT: "Make the server log to standard error: standard output is for the protocol.",
    ExitClass.SESSION_EXPIRED: "Nothing: a new session is opened.",
    ExitClass.LOGIN_REQUIRED: "Log in to the server, in the console or with client credentials.",
    ExitClass.PROTOCOL_MISMATCH: "Use a version of the server that speaks a supported MCP version.",
    ExitClass.PROTOCOL_ERROR: "Make the server log to standard error, and write one JSON message a line.",
    ExitClass.START_TIMEOUT: "See why the server is slow to start, or raise its start time-out.",
    ExitClass.OUT_OF_MEMORY: "Find out what it needs so much memory for, or give it or its host more.",
    ExitClass.TOO_MANY_PROCESSES: "Find out why it starts so many processes, or raise MCP_PROCESS_LIMIT.",
    ExitClass.KILLED: "Find out what killed it: often the operating system, for want of memory.",
    ExitClass.CRASHED: "Read the last lines of its standard error.",
    ExitClass.UNREACHABLE: "Check the server's address and headers, and that the workers can reach it.",
    ExitClass.UNRESPONSIVE: "See why the server stopped answering; it is restarted.",
    ExitClass.INVALID_TOOLS: "Correct the definitions in the server.",
    ExitClass.MISCONFIGURED: "Correct the server's settings.",
    ExitClass.COMMAND_NOT_ALLOWED: "Use an allowed command, or have it allowed where the workers run.",
    ExitClass.RUN_AS_REFUSED: "Let the workers switch users (as root), or leave MCP_RUN_AS empty.",
    ExitClass.URL_NOT_ALLOWED: "Use a public address, or have this one allowed where the workers run.",
}

_PROSPECTS = {
    ExitClass.UNREACHABLE: Prospect.ABSENT,
    ExitClass.SESSION_EXPIRED: Prospect.EXPIRED,
    ExitClass.PROTOCOL_MISMATCH: Prospect.HOPELESS,
    ExitClass.LOGIN_REQUIRED: Prospect.HOPELESS,
}

_OUT_OF_MEMORY = re.compile(
    r"heap out of memory|MemoryError|out of memory|Cannot allocate memory", re.IGNORECASE
)
_PACKAGE = re.compile(
    r"E404|404 Not Found - GET|not found in the package registry|No solution found|ETARGET"
    r"|No module named|Cannot find (?:module|package)",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"KeyError: '([A-Z][A-Z0-9_]+)'"
    r"|\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b[^\n]{0,60}(?:required|must be set|not set|missing|undefined)"
    r"|(?:missing|required|set)[^\n]{0,60}?\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """`message` and `remedy` are for people and hold no secret."""

    stage: str
    exit_class: ExitClass
    message: str
    code: int | None = None
    signal: int | None = None

    @property
    def remedy(self) -> str:
        return REMEDIES[self.exit_class]

    @property
    def prospect(self) -> Prospect:
        return _PROSPECTS.get(self.exit_class, Prospect.CRASH)

    def as_error(self, at: str) -> dict[str, Any]:
        """As the management API shows it; `at` is ISO 8601."""
        return {
            "stage": self.stage,
            "class": str(self.exit_class),
            "message": self.message,
            "remedy": self.remedy,
            "at": at,
        }

    def as_last_exit(self) -> dict[str, Any]:
        exit_class, remedy = str(self.exit_class), self.remedy
        return {"code": self.code, "signal": self.signal, "class": exit_class, "remedy": remedy}


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of a stdio server that ended. `lived_s` counts from its start.

    `excess`: see `stdio.StdioProcess`.
    """

    command: str
    stage: str
    lived_s: float
    code: int | None = None
    signal: int | None = None
    exec_errno: int | None = None
    excess: tuple[str, int] | None = None
    stderr: str = ""
    noise: str = ""


def classify(ending: Ending) -> Failure:
    """The class that explains most, from the surest sign to the weakest."""
    exit_class, message = _explain(ending)
    return Failure(ending.stage, exit_class, message, ending.code, ending.signal)


def _explain(ending: Ending) -> tuple[ExitClass, str]:
    if ending.exec_errno is not None:
        reason = os.strerror(ending.exec_errno) if ending.exec_errno else "it is not a valid command"
        return ExitClass.MISSING_BINARY, f"The command {ending.command!r} cannot be run: {reason}."
    if ending.excess is not None:
        return _exceeded(*ending.excess)
    if _OUT_OF_MEMORY.search(ending.stderr):
        return ExitClass.OUT_OF_MEMORY, "The server ran out of memory."
    if ending.signal is not None:
        return ExitClass.KILLED, f"The server was killed by signal {ending.signal} after {_for(ending)}."
    return _explain_words(ending) or _crashed(ending)


def _explain_words(ending: Ending) -> tuple[ExitClass, str] | None:
    """From what it said; only of a server that never came to be ready."""
    if ending.stage != "start":
        return None
    if _PACKAGE.search(ending.stderr):
        return ExitClass.PACKAGE_NOT_FOUND, f"A package that {ending.command!r} needs was not found."
    if variable := _VARIABLE.search(ending.stderr):
        name = next(group for group in variable.groups() if group)
        return ExitClass.MISSING_VARIABLE, f"The server needs the variable {name}."
    if ending.noise:
        return ExitClass.NOISE_ON_STDOUT, f"The server wrote {ending.noise!r} where the protocol belongs."
    return None


def _exceeded(what: str, number: int) -> tuple[ExitClass, str]:
    if what == "memory":
        message = f"With all that it started it used {number} MiB of memory, more than MCP_MEMORY_LIMIT."
        return ExitClass.OUT_OF_MEMORY, message
    return ExitClass.TOO_MANY_PROCESSES, f"It had {number} processes, more than MCP_PROCESS_LIMIT."


def _crashed(ending: Ending) -> tuple[ExitClass, str]:
    if ending.code is None:
        return ExitClass.KILLED, f"The server disappeared after {_for(ending)}."
    return ExitClass.CRASHED, f"The server ended with code {ending.code} after {_for(ending)}."


def _for(ending: Ending) -> str:
    return f"{ending.lived_s:.1f} s"
