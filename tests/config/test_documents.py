"""The documents' shell blocks run as printed, against a fresh `manage.py up`, from top to bottom.

A block that cannot run here has a comment before it that readers do not see: `<!-- not run: the reason -->`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.runner import env_file
from tests.config.installation import ROOT, Installation

FENCE = re.compile(
    r"^(?:<!-- not run:(?P<reason>[^\n]*)-->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
SHELLS = {"sh", "bash", "shell", "console"}
COMMAND = re.compile(
    r"^(curl|make|docker|api|manage\.py|python|\.venv/bin/\w+|systemctl|[A-Z_]+=\S* make) ", re.MULTILINE
)
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BUILDS_ON = {"tool-selection.md": "api.md"}
"""A document whose text says that its lines follow those of another."""


def blocks(file: Path) -> list[re.Match[str]]:
    return [found for found in FENCE.finditer(file.read_text()) if found["language"] in SHELLS]


def runnable(file: Path) -> str:
    return "\n".join(found["code"] for found in blocks(file) if found["reason"] is None)


def test_a_block_that_is_not_run_says_why() -> None:
    found = [block for file in FILES for block in blocks(file)]
    assert found
    assert [
        block["code"] for block in found if block["reason"] is not None and len(block["reason"].split()) < 3
    ] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_block_of_commands_says_that_it_is_one(file: Path) -> None:
    unmarked = [found["code"] for found in FENCE.finditer(file.read_text()) if not found["language"]]
    assert [code for code in unmarked if COMMAND.search(code)] == []


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    started = Installation(tmp_path / "data")
    try:
        started.line("curl ", timeout_s=150)
        yield started
    finally:
        started.up.terminate()
        started.wait(timeout_s=30)


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("file", [file for file in FILES if runnable(file)], ids=lambda file: file.name)
def test_the_documented_commands_run_as_printed(installation: Installation, file: Path) -> None:
    before = [file.with_name(BUILDS_ON[file.name])] if file.name in BUILDS_ON else []
    script = "\n".join(map(runnable, [*before, file]))
    # What a reader has of the output of `make up`, and a Python that is in another folder here.
    key = env_file.read(installation.data_dir / "demo.env")["DEMO_API_KEY"]
    for documented, here in {
        "Bearer ak-...": f"Bearer {key}",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{installation.port}",
        ".venv/bin/python": sys.executable,
    }.items():
        script = script.replace(documented, here)
    result = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "DATA_DIR": str(installation.data_dir),
            "PORT": str(installation.port),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    assert '"success":false' not in result.stdout
