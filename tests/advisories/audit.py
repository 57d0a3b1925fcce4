"""Asks pip-audit whether a locked package has a known hole: `python -m tests.advisories.audit`.

It is skipped, with the reason, where pip-audit cannot be installed or its database not reached: that takes
some seconds. A lock of its own installs it: nothing else here needs the packages that it brings.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.clients.worlds import Python

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = [str(ROOT / "requirements.lock"), str(ROOT / "requirements-dev.lock")]
BOUNDED = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "5", "UV_HTTP_CONNECT_TIMEOUT": "3"}
CONNECT_S = "3"
ONE_S, ALL_S = 15, 300
ONE_PACKAGE = "django==5.2"


class Auditor(Python):
    folder = Path(__file__).parent
    lock = folder / "requirements.lock"
    installed = ROOT / ".venv-audit"
    program = str(installed / "bin" / "python")


class Skipped(Exception):
    """It could not be audited. The text says why."""


def main() -> int:
    try:
        found = holes()
    except Skipped as reason:
        print(f"The audit of the locked packages is skipped: {reason}")
        return 0
    for package in found:
        for hole in package["vulns"]:
            fixed = ", ".join(hole["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {hole['id']}, mended in {fixed}")
    return 1 if found else 0


def holes() -> list[dict[str, Any]]:
    """Returns the locked packages with known holes, as pip-audit reports them. Raises Skipped."""
    try:
        auditor = Auditor(BOUNDED)
    except AssertionError:
        raise Skipped("pip-audit cannot be installed.") from None
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
        one.write(ONE_PACKAGE)
        one.flush()
        # Asked first: without a network each of two hundred packages would wait for its time-out.
        _audited(auditor, [one.name], ONE_S)
    return [package for package in _audited(auditor, LOCKS, ALL_S) if package.get("vulns")]


def _audited(auditor: Auditor, files: Sequence[str], within_s: float) -> list[dict[str, Any]]:
    named = [part for file in files for part in ("-r", file)]
    command = [
        auditor.program,
        "-m",
        "pip_audit",
        *named,
        "--disable-pip",
        "--no-deps",
        "--timeout",
        CONNECT_S,
        "--format",
        "json",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise Skipped(f"its database did not answer within {within_s:g} s.") from None
    except ValueError:
        raise Skipped("its database cannot be reached.") from None
    if all("skip_reason" in package for package in packages):
        raise Skipped("its database knows none of the packages.")
    return packages


if __name__ == "__main__":
    sys.exit(main())
