"""A backup names the keys that its secrets need, and no others: wrong ones would be kept for nothing."""

import json
import zipfile
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from assistants.models import Provider
from config.backups.needed_keys import fingerprint
from tests.database import connected_to, create
from tools.secrets import encryption

pytestmark = pytest.mark.django_db(transaction=True)
Keys = Callable[..., list[str]]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """Sets keys."""

    def use(*keys: str) -> list[str]:
        monkeypatch.setattr(settings, "SECRET_ENCRYPTION_KEYS", list(keys))
        encryption._fernet.cache_clear()
        return list(keys)

    yield use
    encryption._fernet.cache_clear()


def new() -> str:
    return Fernet.generate_key().decode()


def add(name: str) -> None:
    Provider.objects.create(name=name, default_model="m", api_key="canary")


def back_up(path: Path, **options: bool) -> tuple[str, str]:
    errors = StringIO()
    return str(call_command("backup", str(path), stderr=errors, **options)), errors.getvalue()


def named(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        found: list[str] = json.loads(archive.read("manifest.json"))["keys"]
    return found


def test_the_keys_that_decrypt_something_are_named(tmp_path: Path, keys: Keys) -> None:
    old, other, unused = new(), new(), new()
    keys(old)
    add("One")
    keys(other)
    add("Two")
    keys(unused, other, old)

    said, errors = back_up(tmp_path / "backup.zip")

    assert named(tmp_path / "backup.zip") == [fingerprint(other), fingerprint(old)]
    assert f"Their fingerprints: {fingerprint(other)}, {fingerprint(old)}." in said
    assert not errors


@pytest.mark.parametrize("wrong", [new(), "no key at all"])
def test_keys_of_another_installation_are_refused(tmp_path: Path, keys: Keys, wrong: str) -> None:
    keys(new())
    add("One")
    keys(wrong)

    with pytest.raises(CommandError, match=r"No key in SECRET_ENCRYPTION_KEYS decrypts .* --without-keys"):
        back_up(tmp_path / "backup.zip")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_allowed", [True, False])
def test_without_the_right_keys_none_is_named_and_these_restore_it(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, is_allowed: bool
) -> None:
    path = tmp_path / "backup.zip"
    (right,) = keys(new())
    add("One")
    (wrong,) = keys(new())
    monkeypatch.setattr(settings, "ALLOW_UNREADABLE_SECRETS", is_allowed)

    said, errors = back_up(path, without_keys=not is_allowed)

    assert named(path) == []
    assert "It names no keys to keep" in said
    assert "1 of 1 secrets cannot be decrypted" in errors
    assert fingerprint(wrong) not in said + errors
    keys(right)
    create("restored_with_keys", template="template0")
    with connected_to("restored_with_keys"):
        call_command("restore", str(path))
        assert Provider.objects.get().api_key == "canary"


def test_what_is_lost_beside_what_is_not_is_counted(tmp_path: Path, keys: Keys) -> None:
    keys(new())
    add("Lost")
    (right,) = keys(new())
    add("One")
    add("Two")

    _, errors = back_up(tmp_path / "backup.zip")

    assert errors.startswith("1 of 3 secrets cannot be decrypted")
    assert named(tmp_path / "backup.zip") == [fingerprint(right)]


def test_columns_that_an_older_database_lacks_are_passed_over(tmp_path: Path, keys: Keys) -> None:
    keys(new())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE assistants_webhook RENAME COLUMN previous_secret TO elsewhere")
    try:
        add("One")
        _, errors = back_up(tmp_path / "backup.zip")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE assistants_webhook RENAME COLUMN elsewhere TO previous_secret")
    assert not errors


def test_what_is_no_token_at_all_is_a_secret_that_cannot_be_decrypted(tmp_path: Path, keys: Keys) -> None:
    keys(new())
    add("One")
    add("Two")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assistants_provider SET api_key = 'schlüssel' WHERE name = 'Two'")

    _, errors = back_up(tmp_path / "backup.zip")

    assert errors.startswith("1 of 2 secrets cannot be decrypted")
    assert isinstance(Provider.objects.get(name="Two").api_key, encryption.Unreadable)
