"""`manage.py up` where it cannot run: it says why, ends with status 1, and leaves nothing half done."""

import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.runner import env_file
from tests.config.installation import Installation, Start, follow
from tests.small_disk import filled, small_disk

pytestmark = pytest.mark.timeout(300)


def refused(installation: Installation) -> list[str]:
    """Waits until it has ended, and returns the last of what it said from the reason on."""
    assert installation.wait(timeout_s=120) == 1, installation.output
    output = installation.output
    reason = next(at for at, line in enumerate(output) if line.startswith("MCP Connector cannot run: "))
    assert not any("Traceback" in line for line in output)
    return output[reason:]


def runs(installation: Installation) -> None:
    """Chats, and stops it."""
    assert "Asia/Shanghai" in str(follow(installation.wait_for_curl().curl))
    installation.up.terminate()
    assert installation.wait(timeout_s=45) == 0


@pytest.mark.parametrize("megabytes", [1, 44], ids=["for the database", "for the migrations"])
def test_a_disk_without_room_is_named_and_the_next_start_works(
    start: Start, tmp_path: Path, megabytes: int
) -> None:
    with small_disk(tmp_path / "disk", megabytes=megabytes) as disk:
        data_dir = disk / "data"
        _, said = refused(start(data_dir))
        assert said.startswith(f"The disk of DATA_DIR {data_dir} is full: "), said
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        runs(start(data_dir))
        with filled(disk):
            assert refused(start(data_dir))[-1].startswith(f"The disk of DATA_DIR {data_dir} is full: 0.0 MB")
        runs(start(data_dir))


def test_keys_of_another_installation_are_refused(start: Start, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    runs(start(data_dir))
    before = env_file.read(data_dir / "runtime.env")
    (said,) = refused(start(data_dir, SECRET_ENCRYPTION_KEYS=Fernet.generate_key().decode()))
    assert "no key in SECRET_ENCRYPTION_KEYS decrypts what is stored" in said
    assert "Restore the keys that this one was made with." in said
    assert "ALLOW_UNREADABLE_SECRETS=true" in said
    assert env_file.read(data_dir / "runtime.env") == before
    runs(start(data_dir))
