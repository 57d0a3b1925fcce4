"""This machine: its disk, and its clock beside the database's and the broker's."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.doctor.finding import Finding, failed, ok, warning

_FULL = 64 * 1024**2
_SCARCE = 1024**3
_GIGABYTE = 1024**3
APART = timedelta(seconds=5)
"""How far clocks may be apart: tokens, limits and what expires are compared among hosts in seconds."""


def check() -> Iterator[Finding]:
    for folder in dict.fromkeys([_existing(settings.DATA_DIR), Path(tempfile.gettempdir())]):
        yield _disk(folder)


def check_clock() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0].astimezone(UTC)
    apart = abs(timezone.now() - theirs)
    if apart > APART:
        yield failed(
            "Clock",
            f"this machine and the database are {apart.total_seconds():.0f} s apart.",
            "Have both keep their time by NTP (chrony, systemd-timesyncd), then restart the processes.",
        )
    else:
        yield ok("Clock", "as the database's")


def _existing(folder: Path) -> Path:
    """Returns the folder, or the nearest one above it that exists."""
    return folder if folder.exists() else _existing(folder.parent)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{free / _GIGABYTE:.1f} GiB are free for {folder}"
    if free < _FULL:
        return failed("Disk", said, "Free some, or give it a larger disk: nothing can be written.")
    if free < _SCARCE:
        return warning("Disk", said, "Free some, or give it a larger disk, before it is full.")
    return ok("Disk", said)
