"""Secrets of containers: files that are generated once, and settings that are read from files."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from config import secret_files
from config.environment import Environment, given


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_generated_once(tmp_path: Path) -> None:
    secret_files.write(tmp_path / "secrets", {})
    first = read(tmp_path / "secrets")
    secret_files.write(tmp_path / "secrets", {})
    assert read(tmp_path / "secrets") == first
    Fernet(first["SECRET_ENCRYPTION_KEYS"])
    assert first["POSTGRES_PASSWORD"] in first["DATABASE_URL"]
    assert first["REDIS_PASSWORD"] in first["REDIS_URL"]
    assert len(first["SECRET_KEY"]) > 50
    assert len(first["METRICS_TOKEN"]) > 40


def test_what_is_given_is_used(tmp_path: Path) -> None:
    secret_files.write(tmp_path, {})
    secret_files.write(tmp_path, {"POSTGRES_PASSWORD": "mine", "REDIS_URL": "redis://elsewhere"})
    assert read(tmp_path)["DATABASE_URL"] == "postgresql://mcp_connector:mine@postgres/mcp_connector"
    assert read(tmp_path)["REDIS_URL"] == "redis://elsewhere"


def test_a_new_folder_is_of_its_owner_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret_files.write(tmp_path / "secrets", {})
    secret_files.write(tmp_path, {})
    assert [folder.stat().st_mode & 0o777 for folder in (tmp_path / "secrets", tmp_path)] == [0o700, 0o755]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "config.secret_files", str(tmp_path / "file")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The secrets cannot be written: ")


def test_a_setting_comes_from_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text("redis://one\n")
    # A file is read once a process: no other test has this name.
    monkeypatch.setenv("A_SETTING_OF_FILES_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("A_SETTING_OF_FILES", "redis://two")
    assert Environment().str("A_SETTING_OF_FILES") == given("A_SETTING_OF_FILES") == "redis://one"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff\xfe", "it is no text in UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("ANOTHER_SETTING_FILE", str(tmp_path / "secret"))
    with pytest.raises(ImproperlyConfigured, match=f"^ANOTHER_SETTING_FILE cannot be read: {reason}"):
        Environment().str("ANOTHER_SETTING")
