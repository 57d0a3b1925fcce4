"""The files of the metrics: each process of a host has its own, in one folder, for what it counts.

Whoever is asked for the metrics adds the files up. What a process counted that has ended stays: its files are
added to those of nobody, which have the number 0. A counter that went down would look like a restart.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from core.metrics import pending

log = logging.getLogger(__name__)

_SIZE = 1024 * 1024
"""Bytes of a file. They hold some 5,000 numbers."""
_KINDS = ("counter", "histogram", "gauge_livesum")
_NOBODY = 0

_pid = os.getpid()
"""Of this process. To ask for it is a system call, and a request counts a dozen times."""


def _know_pid() -> None:
    global _pid  # noqa: PLW0603 - a fork has another one
    _pid = os.getpid()


os.register_at_fork(after_in_child=_know_pid)
# The library chooses this by the environment when it is imported, and somebody may have imported it before.
values.ValueClass = values.MultiProcessValue(lambda: _pid)  # type: ignore[no-untyped-call]

_preparing = threading.Lock()
_prepared_for = 0
_is_refused = False


def are_writable() -> bool:
    """Whether this process may count. It prepares its files before the first number."""
    if not settings.METRICS:
        return False
    if _prepared_for != _pid:
        with _preparing:
            if _prepared_for != _pid:
                _prepare(_pid)
    return not _is_refused


def _prepare(pid: int) -> None:
    global _prepared_for, _is_refused  # noqa: PLW0603 - of this process; a fork prepares its own
    _is_refused = False
    try:
        folder = _folder()
        for kind in _KINDS:
            _reserve(_file(folder, kind, pid))
        pending.start()
    except OSError as error:
        _is_refused = True
        told = "This process counts nothing: METRICS_DIR %s cannot be written (%s)."
        log.warning(told, settings.METRICS_DIR, error.strerror)
    except RuntimeError as error:  # there can be no further thread
        _is_refused = True
        log.warning("This process counts nothing: %s.", error)
    _prepared_for = pid  # last: other threads count as soon as it is set


def _folder() -> Path:
    folder = Path(settings.METRICS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # where the library looks for it
    return folder


def _reserve(path: Path) -> None:
    """Takes the space on the disk now: a process that writes into mapped memory without any is killed."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            # Of a file that is there, too: it may have been made while the disk was full.
            os.posix_fallocate(file.fileno(), 0, _SIZE)
        elif not file.tell():
            os.ftruncate(file.fileno(), _SIZE)


def _file(folder: Path, kind: str, pid: int) -> Path:
    return folder / f"{kind}_{pid}.db"


def rendered() -> bytes:
    """Returns what all processes of this host have counted, as Prometheus reads it. Raises OSError."""
    pending.flush()
    folder, registry = _folder(), CollectorRegistry()
    with _locked(folder):
        for pid in _ended(folder):
            _bequeath(folder, pid)
        MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Several processes may be asked at the same time, and two must not add up what one process left."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ended(folder: Path) -> set[int]:
    """Returns the processes that have left files and do not run."""
    found = {int(path.stem.rpartition("_")[2]) for path in folder.glob("*.db")}
    return {pid for pid in found if pid != _NOBODY and not _runs(pid)}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _bequeath(folder: Path, pid: int) -> None:
    for kind in _KINDS:
        path = _file(folder, kind, pid)
        if path.exists() and not kind.startswith("gauge"):
            _add(_file(folder, kind, _NOBODY), path)
        path.unlink(missing_ok=True)


def _add(total: Path, more: Path) -> None:
    _reserve(total)
    numbers = MmapedDict(str(total))  # type: ignore[no-untyped-call]
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(more)):  # type: ignore[no-untyped-call]
            numbers.write_value(key, numbers.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        numbers.close()  # type: ignore[no-untyped-call]
