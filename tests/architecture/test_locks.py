"""The two locks: requirements.lock is what runs, requirements-dev.lock is what tests and checks add to it."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.runner.installing import pin_of_uv

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS, DEVELOPS = "requirements.lock", "requirements-dev.lock"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: str) -> dict[str, tuple[str, str]]:
    """Returns the version and the text (markers and hashes) of each distribution that a lock pins."""
    found = re.findall(r"^([\w.-]+)==(\S+)((?:.*\\\n)*.*)", (ROOT / lock).read_text(), re.MULTILINE)
    return {name: (version, rest) for name, version, rest in found}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", each)[0] for each in requirements}


@pytest.mark.parametrize("lock", [RUNS, DEVELOPS])
def test_a_lock_pins_every_distribution_by_hash_and_names_no_index(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()
    assert entries(lock)
    assert all("--hash=sha256:" in rest for _, rest in entries(lock).values())


def test_both_locks_pin_the_same_versions() -> None:
    runs, develops = entries(RUNS), entries(DEVELOPS)
    shared = runs.keys() & develops.keys()
    assert [(name, runs[name][0]) for name in shared] == [(name, develops[name][0]) for name in shared]


def test_what_runs_holds_the_product_and_every_extra() -> None:
    project = PYPROJECT["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    assert names(project["dependencies"] + extras) <= entries(RUNS).keys()


def test_what_tests_and_checks_is_in_the_second_lock_alone() -> None:
    group = names(PYPROJECT["dependency-groups"]["dev"])
    assert group <= entries(DEVELOPS).keys()
    # psutil is needed by the embedded PostgreSQL's package too.
    assert group & entries(RUNS).keys() <= {"psutil"}
    assert not entries(RUNS).keys() & {"pytest", "mypy", "hypothesis", "schemathesis", "ruff", "openai"}


def entry_for_the_image() -> list[str]:
    [program] = re.findall(r"awk '(.*?)' requirements.lock", (ROOT / "Dockerfile").read_text())
    awk = ["awk", program, RUNS]
    return subprocess.run(awk, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def entry_for_the_makefile() -> list[str]:
    return pin_of_uv((ROOT / RUNS).read_text()).splitlines()


@pytest.mark.parametrize("taken", [entry_for_the_image, entry_for_the_makefile])
def test_uv_comes_from_its_own_entry_in_the_lock(taken: Callable[[], list[str]]) -> None:
    entry = taken()
    assert entry[0].startswith("uv==")
    assert all(line.strip().startswith("--hash=sha256:") for line in entry[1:])
    assert not entry[-1].endswith("\\")
