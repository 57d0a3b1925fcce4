"""Restores a backup: in one transaction, so that a failure leaves the database as it was."""

import shutil
import subprocess
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from config.backups import manifest, programs
from config.backups.backing_up import DUMP, MANIFEST
from config.backups.manifest import Manifest
from config.backups.problems import BackupFailed

_LEAVING_S = 2.0
"""How long who has closed a connection may still be listed."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
_EMPTIED = b"DROP SCHEMA public CASCADE;\n"  # the dump makes it anew
_ENCRYPTED = 1
"""Of the flags of an entry. None of ours is: such an archive would ask for a password."""
_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""How: ours are stored. The errors of other methods are their own."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""Of an archive, or of an entry in it: which error it is depends on where the damage is."""
_NO_DAMAGE = ("could not write", "unsupported version", "status -")
"""What pg_restore ends with where its disk is full, a newer pg_dump made the dump, or somebody killed it."""


def restore(path: Path, *, replace: bool, without_keys: bool) -> Manifest:
    """Makes the database what it was when the backup was made. Raises BackupFailed; then nothing has changed.

    With `replace` it need not be empty. With `without_keys` secrets may be restored that no key decrypts.
    """
    with _opened(path) as archive:
        found = manifest.parsed(archive.read(MANIFEST))
        _require_known_migrations(found)
        if not without_keys:
            _require_keys(found)
        _require_free_database(replace=replace)
        _restore(archive)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            if set(archive.namelist()) != {DUMP, MANIFEST}:
                raise BackupFailed(f"{path} is no backup of MCP Connector.")
            if any(entry.flag_bits & _ENCRYPTED for entry in archive.infolist()):
                raise zipfile.BadZipFile("an entry is encrypted")
            if not _PACKED.issuperset(entry.compress_type for entry in archive.infolist()):
                raise zipfile.BadZipFile("an entry is packed by another method")
            yield archive
    except _BROKEN as error:
        raise BackupFailed(f"{path} is no backup of MCP Connector, or it is damaged.") from error
    except OSError as error:
        raise BackupFailed(f"{path} cannot be read: {error.strerror}.") from error


def _require_known_migrations(found: Manifest) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := sorted(set(found.migrations) - known):
        raise BackupFailed(f"A newer version made it: this one does not know {unknown[0]}. Use that one.")


def _require_keys(found: Manifest) -> None:
    if missing := sorted(set(found.keys) - set(manifest.own_keys())):
        raise BackupFailed(
            f"Its secrets need keys that are not listed, with the fingerprints {', '.join(missing)}."
            " Add them to SECRET_ENCRYPTION_KEYS, or restore with --without-keys and enter the secrets anew."
        )


def _require_free_database(*, replace: bool) -> None:
    deadline = time.monotonic() + _LEAVING_S
    while others := _count(_OTHERS):
        if time.monotonic() > deadline:
            raise BackupFailed(f"The database is in use ({others} connections): stop web, workers and beat.")
        time.sleep(0.1)
    tables = _count(_TABLES)
    connection.close()
    if tables and not replace:
        raise BackupFailed(
            "The database is not empty, so nothing was restored. `manage.py restore --replace` deletes what"
            " it holds: back it up, if you may need it. `manage.py up --restore` wants a fresh DATA_DIR."
        )


def _count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        (number,) = cursor.fetchone()
    return int(number)


def _restore(archive: zipfile.ZipFile) -> None:
    """pg_restore makes a script of the dump. psql runs it, and empties the schema in the same transaction."""
    script = [programs.program("pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
    run = [
        programs.program("psql"),
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--file=-",
    ]
    with tempfile.TemporaryFile() as dump, tempfile.TemporaryFile() as sql, tempfile.TemporaryFile() as said:
        try:
            with archive.open(DUMP) as entry:
                shutil.copyfileobj(entry, dump)
            sql.write(_EMPTIED)
            sql.flush()
        except OSError as error:
            place = tempfile.gettempdir()
            raise BackupFailed(
                f"{place} cannot be written: {error.strerror}. TMPDIR names another."
            ) from error
        _make_script(script, dump, sql, said)
        _run(run, sql, subprocess.DEVNULL, said)


def _make_script(command: list[str], dump: IO[bytes], sql: IO[bytes], said: IO[bytes]) -> None:
    """Nothing but the dump can be wrong here: the database is not asked yet."""
    try:
        _run(command, dump, sql, said)
    except BackupFailed as failure:
        if any(reason in str(failure) for reason in _NO_DAMAGE):
            raise
        raise BackupFailed(f"The backup is damaged, and nothing was restored: {failure}") from failure


def _run(command: list[str], given: IO[bytes], result: IO[bytes] | int, said: IO[bytes]) -> None:
    given.seek(0)
    with subprocess.Popen(
        command, stdin=given, stdout=result, stderr=said, env=programs.environment()
    ) as process:
        try:
            programs.wait(process, said, Path(command[0]).name)
        except BaseException:
            process.kill()  # who is told to end restores nothing any more
            raise
