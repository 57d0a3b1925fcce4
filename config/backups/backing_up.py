"""Writes a backup: pg_dump's output goes into the archive as it comes."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from config.backups import manifest, programs
from config.backups.manifest import Manifest
from config.backups.needed_keys import Needed, needed_keys
from config.backups.problems import BackupFailed

DUMP, MANIFEST = "database.dump", "manifest.json"
_COMMAND = ("--format=custom", "--no-owner", "--no-privileges", "--schema=public", "--extension=vector")


def back_up(path: Path, *, without_keys: bool = False) -> tuple[Manifest, Needed]:
    """Writes a new file, which only its owner may read. Raises BackupFailed; then there is none.

    With `without_keys` it may hold secrets alone that no key decrypts.
    """
    if path.name == "-":
        raise BackupFailed("Give the name of a file: a backup is not written to the standard output.")
    _require_free(path)
    if not os.path.lexists(path.parent):
        raise BackupFailed(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    needed = needed_keys()
    if not (without_keys or settings.ALLOW_UNREADABLE_SECRETS):
        _require_keys(needed)
    # Of this process: two that make a backup of one name at the same time must not share it.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        made = _write(unfinished, needed)
        _require_free(path)
        unfinished.rename(path)
    except OSError as error:
        raise BackupFailed(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):  # it would hide why nothing was written
            unfinished.unlink()
    return made, needed


def _require_keys(needed: Needed) -> None:
    """Raises BackupFailed where the keys are others than those of this database: nobody should keep them."""
    if needed.unreadable and not needed.keys:
        raise BackupFailed(
            "No key in SECRET_ENCRYPTION_KEYS decrypts what is stored: they are of another installation."
            " Restore the keys that this one was made with. If they are lost, `backup --without-keys`"
            " backs up all the same: the secrets have to be entered anew."
        )


def _require_free(path: Path) -> None:
    # lexists answers where Path.exists raises: for a name that is too long, or in a folder that is closed.
    if os.path.lexists(path):
        raise BackupFailed(f"{path} exists. Give another name: no backup is written over another.")


def _write(path: Path, needed: Needed) -> Manifest:
    made = manifest.of_now(needed.keys)
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,  # the dump is compressed already
    ):
        archive.writestr(MANIFEST, made.as_json())
        _dump(archive)
    return made


def _dump(archive: zipfile.ZipFile) -> None:
    command = [programs.program("pg_dump"), *_COMMAND]
    # Into a file: a pipe that nobody reads while the dump is copied could fill, and stop the program.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=programs.environment()) as dump,
        archive.open(DUMP, "w", force_zip64=True) as entry,
    ):
        assert dump.stdout is not None  # noqa: S101 - as it was started
        try:
            shutil.copyfileobj(dump.stdout, entry)
        except BaseException:
            dump.kill()
            raise
        programs.wait(dump, said, "pg_dump")
