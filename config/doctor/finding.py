"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`WARNING`: the installation works, though not all of it, or not for long."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is a sentence, or a fact in short; `remedy` says what to do, "" where nothing has to be done."""

    subject: str
    state: State
    said: str
    remedy: str = ""


def ok(subject: str, said: str) -> Finding:
    return Finding(subject, State.OK, said)


def warning(subject: str, said: str, remedy: str) -> Finding:
    return Finding(subject, State.WARNING, said, remedy)


def failed(subject: str, said: str, remedy: str) -> Finding:
    return Finding(subject, State.FAILED, said, remedy)


def first_line(error: Exception) -> str:
    """Returns the first line of what an error says: PostgreSQL's go on with hints for programmers."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
