"""`up --restore FILE`: an installation from nothing but a backup and its keys, or none at all."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.runner import env_file, messages
from tests.config.installation import Installation, Start, follow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

REFUSED = "MCP Connector cannot run: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restore")


@dataclass(frozen=True)
class Old:
    """What is left of an installation: a backup, its encryption keys, and what callers know of its demo."""

    backup: Path
    keys: str
    demo: dict[str, str]


@pytest.fixture(scope="module")
def old(start: Start, folder: Path) -> Old:
    """What is left of one that has answered a chat."""
    first = start(folder / "first").wait_for_curl()
    assert "Asia/Shanghai" in json.dumps(follow(first.curl))
    first.manage("backup", str(folder / "backup.zip"))
    first.up.terminate()
    first.wait(timeout_s=45)
    return Old(
        backup=folder / "backup.zip",
        keys=env_file.read(first.data_dir / "runtime.env")["SECRET_ENCRYPTION_KEYS"],
        demo=env_file.read(first.data_dir / "demo.env"),
    )


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Path:
    """One data folder for all of what follows, in this order: what is refused must leave nothing in it."""
    return folder / "fresh"


def missing(backup: Path) -> Path:
    return backup.with_name("none.zip")


def no_backup(backup: Path) -> Path:
    path = backup.with_name("no-backup.zip")
    path.write_text("SELECT 1;")
    return path


def cut(backup: Path) -> Path:
    path = backup.with_name("cut.zip")
    path.write_bytes(backup.read_bytes()[:-1000])
    return path


def broken(backup: Path) -> Path:
    """A whole archive, in which half of the dump is missing."""
    with zipfile.ZipFile(backup) as archive:
        dump = archive.read("database.dump")
    return changed(backup, "broken.zip", dump=dump[: len(dump) // 2])


def of_a_newer_version(backup: Path) -> Path:
    return changed(backup, "newer.zip", migrations=["tools.9999_later"])


def changed(backup: Path, name: str, *, dump: bytes | None = None, **manifest: object) -> Path:
    path = backup.with_name(name)
    with zipfile.ZipFile(backup) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("manifest.json", json.dumps({**json.loads(old.read("manifest.json")), **manifest}))
        new.writestr("database.dump", dump or old.read("database.dump"))
    return path


def refused(installation: Installation) -> str:
    """Returns the reason, which is the last line."""
    assert installation.wait(timeout_s=150) == 1
    assert installation.output[-1].startswith(REFUSED), installation.output
    return installation.output[-1].removeprefix(REFUSED)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (missing, "none.zip cannot be read: No such file or directory."),
        (no_backup, "no-backup.zip is no backup of MCP Connector, or it is damaged."),
        (cut, "cut.zip is no backup of MCP Connector, or it is damaged."),
        (broken, "The backup is damaged, and nothing was restored: pg_restore failed: "),
        (of_a_newer_version, "A newer version made it: this one does not know tools.9999_later."),
    ],
    ids=["missing", "no backup", "cut", "broken", "newer"],
)
def test_what_cannot_be_restored_is_refused(
    start: Start, old: Old, fresh: Path, of: Callable[[Path], Path], reason: str
) -> None:
    said = refused(start(fresh, "--restore", str(of(old.backup)), SECRET_ENCRYPTION_KEYS=old.keys))
    assert reason in said


def test_another_key_than_the_backups_is_refused(start: Start, old: Old, fresh: Path) -> None:
    other = Fernet.generate_key().decode()
    said = refused(start(fresh, "--restore", str(old.backup), SECRET_ENCRYPTION_KEYS=other))
    assert "keys that are not listed, with the fingerprints" in said
    assert other not in said


def chat(installation: Installation, demo: dict[str, str]) -> str:
    """Waits until it runs. Returns what the demo's assistant answers to the key of before."""
    installation.line("Metrics", timeout_s=150)
    base_url = f"http://127.0.0.1:{installation.port}"
    return json.dumps(follow(messages.curl(demo | {"BASE_URL": base_url})))


def test_what_is_restored_answers_a_chat(start: Start, old: Old, fresh: Path) -> None:
    restored = start(fresh, "--restore", str(old.backup), SECRET_ENCRYPTION_KEYS=old.keys)
    restored.line("The database is as it was at ", timeout_s=150)
    assert "Asia/Shanghai" in chat(restored, old.demo)
    assert not (fresh / "demo.env").exists(), "what is restored needs no other demo"
    restored.up.terminate()
    assert restored.wait(timeout_s=45) == 0


def test_a_database_with_data_is_refused_and_stays_as_it_is(start: Start, old: Old, fresh: Path) -> None:
    said = refused(start(fresh, "--restore", str(old.backup), SECRET_ENCRYPTION_KEYS=old.keys))
    assert said.startswith("The database is not empty, so nothing was restored.")
    assert "Asia/Shanghai" in chat(start(fresh, SECRET_ENCRYPTION_KEYS=old.keys), old.demo)


def test_keys_are_left_out_of_a_restoration_alone(start: Start, folder: Path) -> None:
    alone = start(folder / "alone", "--without-keys")
    assert alone.wait(timeout_s=30) == 2
    assert alone.output[-1].endswith("--without-keys is for --restore")
    assert not (folder / "alone").exists()
