"""The disk of DATA_DIR. What fails because it is full cannot always say so: its log is on that disk, too."""

import shutil
from pathlib import Path

MEGABYTE = 1024**2
ENOUGH = 64 * MEGABYTE
"""With less than this a start may have failed for want of it."""
NEW_INSTALLATION = 100 * MEGABYTE


def shortage(folder: Path) -> str:
    """Returns what to say of a disk that has no room; "" where it has, or where there is no such folder."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    if free >= ENOUGH:
        return ""
    return (
        f"The disk of DATA_DIR {folder} is full: {free / MEGABYTE:.1f} MB are free. Free some, or give it a"
        f" larger disk, and start again: a new installation takes {NEW_INSTALLATION / MEGABYTE:.0f} MB."
    )
