"""A backup, and what is restored from it: all of it or nothing."""

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from assistants.models import Provider
from config.backups import BackupFailed, manifest, programs
from config.doctor import backups as doctor_backups
from tests.database import connected_to, create
from tools.secrets import encryption

CANARY = "canary-5d1f0c"


@pytest.fixture
def backup(transactional_db: None, tmp_path: Path) -> Path:
    Provider.objects.create(name="Backed up", default_model="m", api_key=CANARY)
    path = tmp_path / "backup.zip"
    call_command("backup", str(path))
    return path


@pytest.fixture
def empty(backup: Path) -> Iterator[None]:
    create("restored", template="template0")
    with connected_to("restored"):
        yield


def restore(path: Path, **options: bool) -> str:
    return str(call_command("restore", str(path), **options))


def with_manifest(path: Path, **changes: object) -> Path:
    changed = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        new.writestr("manifest.json", json.dumps({**json.loads(old.read("manifest.json")), **changes}))
        new.writestr("database.dump", old.read("database.dump"))
    return changed


def test_what_was_backed_up_is_restored(backup: Path, empty: None) -> None:
    restore(backup)
    assert Provider.objects.get().api_key == CANARY


def test_of_two_backups_to_one_name_each_is_whole_or_none(transactional_db: None, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    tested = f"{base.rpartition('/')[0]}/{connection.settings_dict['NAME']}?{query}"
    environment = {**os.environ, "DATABASE_URL": tested}
    command = [sys.executable, "manage.py", "backup", str(path)]
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    ended = [(each.communicate(timeout=100)[1].decode(), each.returncode) for each in both]
    assert 0 in [status for _, status in ended]
    assert all(status == 0 or f"{path} exists" in said for said, status in ended)
    assert zipfile.ZipFile(path).testzip() is None
    assert [each.name for each in tmp_path.iterdir()] == ["backup.zip"]


@pytest.mark.django_db
def test_a_backup_is_not_written_to_a_file_named_as_the_standard_output(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Give the name of a file"):
        call_command("backup", "-")


@pytest.mark.django_db
def test_a_folder_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"there is no folder .*/backups\. Make it first\."):
        call_command("backup", str(tmp_path / "backups/backup.zip"))


def test_only_an_empty_database_is_filled_unless_it_is_to_be_replaced(backup: Path, empty: None) -> None:
    restore(backup)
    Provider.objects.update(name="Later")
    with pytest.raises(CommandError, match="is not empty"):
        restore(backup)
    assert Provider.objects.get().name == "Later"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_a_newer_version ()")
    connection.close()
    restore(backup, replace=True)
    assert Provider.objects.get().name == "Backed up"
    assert "of_a_newer_version" not in connection.introspection.table_names()


def test_a_failure_leaves_the_database_as_it_was(backup: Path, empty: None, tmp_path: Path) -> None:
    restore(backup)
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(backup) as old, zipfile.ZipFile(damaged, "w") as new:
        new.writestr("manifest.json", old.read("manifest.json"))
        dump = old.read("database.dump")
        new.writestr("database.dump", dump[: len(dump) * 9 // 10])
    with pytest.raises(CommandError, match=r"^The backup is damaged, and nothing was restored: pg_restore"):
        restore(damaged, replace=True)
    assert Provider.objects.get().name == "Backed up"


def test_a_database_that_is_in_use_is_not_touched(backup: Path, empty: None) -> None:
    restore(backup)
    with (
        psycopg.connect(os.environ["DATABASE_URL"], dbname="restored"),
        pytest.raises(CommandError, match="stop web, workers and beat"),
    ):
        restore(backup, replace=True)


def test_secrets_that_no_key_decrypts_are_not_restored_unawares(
    backup: Path, empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECRET_ENCRYPTION_KEYS", [Fernet.generate_key().decode()])
    encryption._fernet.cache_clear()
    try:
        with pytest.raises(CommandError, match="fingerprints"):
            restore(backup)
        restore(backup, without_keys=True)
        assert Provider.objects.count() == 1
    finally:
        encryption._fernet.cache_clear()


def test_what_a_newer_version_made_is_refused(backup: Path, empty: None) -> None:
    with pytest.raises(CommandError, match=r"does not know tools\.9999_later"):
        restore(with_manifest(backup, migrations=["tools.9999_later"]))
    with pytest.raises(CommandError, match="form 2"):
        restore(with_manifest(backup, form=2))
    with pytest.raises(BackupFailed, match="form 3: a newer version"):  # and its members have other names
        manifest.parsed(b'{"form": 3}')


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_what_is_no_backup_is_refused(transactional_db: None, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CommandError, match="is no backup"):
        restore(tmp_path / "file")
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        restore(tmp_path / "none")


def compressed(path: Path) -> bytearray:
    """Returns the archive as somebody else's program would pack it."""
    packed = path.with_name("packed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return bytearray(packed.read_bytes())


def with_bad_data(archive: bytearray) -> None:
    start = 30 + archive[26] + archive[28]  # of the first entry, behind its name and extra field
    archive[start : start + 4] = b"\xff" * 4


def with_a_flag_of_encryption(archive: bytearray) -> None:
    archive[archive.index(b"PK\x01\x02") + 8] |= 1


def of_an_unknown_method(archive: bytearray) -> None:
    archive[archive.index(b"PK\x01\x02") + 10] = 99


def of_another_method(archive: bytearray) -> None:
    for place in (archive.index(b"PK\x01\x02") + 10, 8):
        archive[place] = zipfile.ZIP_BZIP2


DAMAGES = (with_bad_data, with_a_flag_of_encryption, of_an_unknown_method, of_another_method)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_in_a_whole_archive_is_said(
    backup: Path, tmp_path: Path, damage: Callable[[bytearray], None]
) -> None:
    archive = compressed(backup)
    damage(archive)
    (tmp_path / "damaged.zip").write_bytes(archive)
    with pytest.raises(CommandError, match="is no backup of MCP Connector, or it is damaged"):
        restore(tmp_path / "damaged.zip")


@pytest.mark.parametrize("reason", ["could not write: No space left on device", "unsupported version"])
def test_what_is_no_damage_is_not_called_so(
    backup: Path, empty: None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "failing"
    failing.write_text(f'#!/bin/sh\n[ "$LC_ALL" = C ] && echo "{reason}" >&2 || echo "Fehler" >&2\nexit 1\n')
    failing.chmod(0o755)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setattr(programs, "program", lambda name: str(failing))
    with pytest.raises(CommandError, match=f"^failing failed: {reason}"):
        restore(backup)


def test_a_database_without_tables_of_ours_is_not_backed_up(empty: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="The database restored holds nothing of MCP Connector"):
        call_command("backup", str(tmp_path / "nothing.zip"))
    with connection.cursor() as cursor:  # as another Django project's
        cursor.execute("CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)")
        cursor.execute("INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial', now())")
    with pytest.raises(CommandError, match="holds nothing of MCP Connector"):
        call_command("backup", str(tmp_path / "nothing.zip"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("nothing")]


@pytest.fixture
def programs_of_15(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No program is embedded, and those on the PATH are older than the database."""
    monkeypatch.setattr(programs, "site_packages", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    for name in programs.NAMES:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'\n")
        path.chmod(0o755)
    return tmp_path / "bin"


def test_programs_that_are_too_old_or_missing_are_named(
    transactional_db: None, tmp_path: Path, programs_of_15: Path
) -> None:
    with pytest.raises(CommandError, match=r"no pg_dump of PostgreSQL 18 or later .*/bin/pg_dump is of 15\."):
        call_command("backup", str(tmp_path / "backup.zip"))
    (found,) = doctor_backups.check()
    assert found.state == "warning"
    assert "postgresql-client-18" in found.remedy
    (programs_of_15 / "pg_dump").unlink()
    with pytest.raises(CommandError, match=r"no pg_dump of PostgreSQL 18 or later on the PATH\. Install"):
        call_command("backup", str(tmp_path / "backup.zip"))
    assert not (tmp_path / "backup.zip").exists()


def test_who_is_told_to_end_while_it_restores_leaves_no_program_behind(
    backup: Path, empty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = psutil.Process().children()
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 300\n")
    slow.chmod(0o755)
    monkeypatch.setattr(programs, "program", lambda name: str(slow))
    handler = signal.signal(signal.SIGUSR1, lambda *_: sys.exit(1))
    told = threading.Timer(1, os.kill, (os.getpid(), signal.SIGUSR1))
    told.start()
    try:
        with pytest.raises(SystemExit):
            restore(backup)
    finally:
        told.cancel()
        signal.signal(signal.SIGUSR1, handler)
    assert psutil.Process().children() == before


def test_no_backup_is_written_over_another(backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(CommandError, match="exists"):
        call_command("backup", str(backup))
    assert backup.read_bytes() == before


def test_a_place_that_cannot_be_written_leaves_nothing(transactional_db: None, tmp_path: Path) -> None:
    for name in ("no folder/backup.zip", "long" * 64):
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("backup", str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_said(transactional_db: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written: Not a directory"):
        call_command("backup", str(tmp_path / "file" / "backup.zip"))


def test_a_backup_is_its_owners_and_holds_no_secret_in_clear(backup: Path, tmp_path: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(backup) as archive:
        archive.extract("database.dump", tmp_path)
        manifest = archive.read("manifest.json").decode()
    command = [programs.program("pg_restore"), "--file=-", str(tmp_path / "database.dump")]
    sql = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Backed up" in sql
    for secret in (CANARY, *settings.SECRET_ENCRYPTION_KEYS, settings.SECRET_KEY):
        assert secret not in sql + manifest
