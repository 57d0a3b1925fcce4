"""Installing, with a uv of the tests' own: what a real one prints, and no package."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.runner.installing import _left

ROOT = Path(__file__).resolve().parent.parent.parent.parent
LOCK = (
    "a==1 \\\n    --hash=sha256:0\nuv==9 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n    # via x\nb==2\n"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def install(checkout: Path, uv: str) -> subprocess.Popen[str]:
    program = checkout / ".venv" / "bin" / "uv"
    program.write_text(f"#!/bin/sh\n{uv}\n")
    program.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, "-m", "config.runner.installing", "requirements.lock"],
        cwd=checkout,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_how_much_it_installs_and_nothing_that_only_uv_has_to_know(checkout: Path):
    lines = ("warning: no hardlinks", "Resolved 3 packages in 1s", "Installed 2 packages in 1s", " + a==1")
    uv = "; ".join(f"echo '{line}' >&2" for line in lines)
    output, errors = install(checkout, uv).communicate(timeout=30)
    assert output == "Installing what is missing of 3 packages\nInstalled 2 packages in 0 s\n"
    assert errors == ""


def test_what_uv_says_is_shown_when_it_fails(checkout: Path):
    process = install(checkout, "echo 'error: the hash of a is wrong' >&2; exit 2")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors == "Installing failed:\nerror: the hash of a is wrong\n"


def test_two_take_turns(checkout: Path):
    with (checkout / "requirements.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = install(checkout, "true")
        assert second.stdout is not None
        assert second.stdout.readline() == "Waiting for another `make`, which installs\n"
    output, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert output == "Installing what is missing of 3 packages\n"


def test_what_is_left_to_download_is_named_with_its_size():
    output = [
        *("Resolved 145 packages in 2s", "Downloading a (4.5MiB)", "Downloading b (79.6MiB)", "Building c"),
        *("Downloading d (2.0MiB)", "Downloading e (1.5MiB)", " Downloaded a"),
    ]
    assert _left(output) == ", 83 MiB left to download: b, d, e and 1 more"
    assert _left(output[:1]) == ""


@pytest.mark.slow
def test_uv_comes_from_the_lock_into_a_new_environment(tmp_path: Path):
    real = (ROOT / "requirements.lock").read_text().splitlines()
    start = next(number for number, line in enumerate(real) if line.startswith("uv=="))
    end = next(number for number in range(start, len(real)) if not real[number].endswith("\\"))
    (tmp_path / "requirements.lock").write_text("\n".join(real[start : end + 1]) + "\n")
    install_all = [sys.executable, "-m", "config.runner.installing", "requirements.lock"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        install_all, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    if "Installing failed" in result.stderr:
        pytest.skip(f"No package index: {result.stderr[-300:]}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / ".venv" / "bin" / "uv").exists()
    assert result.stdout.startswith("Setting up .venv: uv first, which installs the rest\n")
    assert "WARNING" not in result.stdout + result.stderr
