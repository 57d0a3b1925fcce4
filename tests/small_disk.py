"""Disks that are full: small file systems in memory. Where none may be mounted their tests are skipped."""

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, *, megabytes: int) -> Iterator[Path]:
    """Mounts an empty disk of this size on a folder, for as long as the context lasts."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=1777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "small-disk", str(path)]
    try:
        subprocess.run(mount, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("A file system in memory cannot be mounted here.")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)


@contextmanager
def filled(path: Path) -> Iterator[None]:
    """Leaves no byte of the disk free, for as long as the context lasts."""
    filler = path / "filler"
    try:
        _fill(filler)
        yield
    finally:
        filler.unlink()


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1024**2, 4096, 1):
            while True:
                try:
                    file.write(b"x" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
