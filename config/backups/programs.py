"""pg_dump, pg_restore and psql: those of the embedded PostgreSQL, or of the PATH."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import IO

from django.db import connection

from config.backups.problems import BackupFailed, ProgramMissing
from config.runner.postgres import BINARIES, site_packages

NAMES = ("pg_dump", "pg_restore", "psql")
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "name": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""Not `options`: a dump takes longer than a statement may."""
_VERSION = re.compile(rb"(\d+)(?:\.\d+)? *(?:\(|$)")
_LAST_CHARACTERS = 500


def program(name: str) -> str:
    """Returns the path of a program that is at least as new as the database. Raises ProgramMissing."""
    needed = connection.pg_version // 10_000  # type: ignore[attr-defined]  # PostgreSQL has it
    too_old = []
    for path in _candidates(name):
        if (version := _version(path)) >= needed:
            return path
        too_old.append(f"{path} is of {version}")
    named = f": {', '.join(too_old)}." if too_old else "."
    raise ProgramMissing(
        f"There is no {name} of PostgreSQL {needed} or later on the PATH{named}",
        f"Install PostgreSQL's client programs (postgresql-client-{needed} in Debian's or PostgreSQL's own"
        " repository).",
    )


def environment() -> dict[str, str]:
    """Returns the environment that leads to Django's database: all see a password on a command line."""
    database = connection.settings_dict
    given = {name.lower(): value for name, value in database.items()} | database["OPTIONS"]
    named = {variable: str(given[name]) for name, variable in _VARIABLES.items() if given.get(name)}
    return {**os.environ, **named, "LC_ALL": "C"}  # what they say is compared with words


def wait(running: "subprocess.Popen[bytes]", errors: IO[bytes], name: str) -> None:
    """Waits for the end of a program that writes its `errors` there. Raises BackupFailed for a bad one."""
    if status := running.wait():
        errors.seek(0)
        said = " ".join(errors.read().decode(errors="replace").split())[-_LAST_CHARACTERS:]
        raise BackupFailed(f"{name} failed: {said or f'status {status}'}")


def _candidates(name: str) -> Iterator[str]:
    embedded = site_packages()
    if embedded is not None:
        yield str(embedded / BINARIES / name)
    if found := shutil.which(name):
        yield found


def _version(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, check=False).stdout
    found = _VERSION.search(said)
    return int(found[1]) if found else 0
