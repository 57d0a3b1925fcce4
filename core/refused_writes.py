"""Redis that answers and takes no writes: its memory is full, it is a replica, or its snapshots fail."""

from dataclasses import dataclass

from redis._parsers import BaseParser
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError


class SnapshotsFail(ResponseError):
    """Redis refuses writes since a snapshot has failed (stop-writes-on-bgsave-error)."""


# redis-py has no class of its own for it, so that it could not be told from a command that is wrong.
BaseParser.EXCEPTION_CLASSES["MISCONF"] = SnapshotsFail

REFUSALS = (OutOfMemoryError, ReadOnlyError, SnapshotsFail)


@dataclass(frozen=True, slots=True)
class Refusal:
    """For people: why, and what to do."""

    said: str
    remedy: str

    def __str__(self) -> str:
        return f"takes no writes, because {self.said}. {self.remedy}"


_FULL = Refusal("its memory is full", "Raise its maxmemory, or find what fills it (redis-cli --bigkeys).")
_REPLICA = Refusal("it is a replica", "REDIS_URL has to name the primary.")
_SNAPSHOT = Refusal(
    "its last snapshot failed",
    "Its log says why: its disk is full, or it may not write into its folder. Nothing in it has to outlive"
    ' it, so it may go without snapshots: CONFIG SET save "".',
)
# In a script that fails Redis before version 7 quotes the code.
_REASONS = (
    (OutOfMemoryError, "-OOM ", _FULL),
    (ReadOnlyError, "-READONLY ", _REPLICA),
    (SnapshotsFail, "-MISCONF ", _SNAPSHOT),
)


def refusal(error: Exception) -> Refusal | None:
    """Returns why Redis refused a write, or None where it is something else that went wrong."""
    for kind, code, reason in _REASONS:
        if isinstance(error, kind) or (isinstance(error, ResponseError) and code in str(error)):
            return reason
    return None
