"""What `manage.py backup` and `manage.py restore` need on this machine."""

from collections.abc import Iterator

from config.backups import programs
from config.backups.problems import ProgramMissing
from config.doctor.finding import Finding, ok, warning


def check() -> Iterator[Finding]:
    try:
        for name in programs.NAMES:
            programs.program(name)
    except ProgramMissing as missing:
        yield warning("Backups", missing.said, missing.remedy)
    else:
        yield ok("Backups", f"{', '.join(programs.NAMES)} are here")
