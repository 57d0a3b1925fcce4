"""What `up` imports before it forks its processes: all that two of them need, which they then share."""

import re
from pathlib import Path

import pytest

from tests.config.installation import Start, fetch
from tests.stack import wait_for

pytestmark = pytest.mark.timeout(180)
IMPORTED = re.compile(r"^import '([\w.]+)' # ", re.MULTILINE)
KINDS = ("web", "worker-mcp", "worker")


def test_nothing_is_imported_by_two_of_its_processes(start: Start, tmp_path: Path) -> None:
    up = start(tmp_path / "data", PYTHONVERBOSE="1").wait_for_curl()
    logs = up.data_dir / "logs"
    # Of the worker's own this is what beat imports, when all else has started.
    wait_for(lambda: "config.scheduler" in (logs / "worker.log").read_text(), within_s=60)
    web, mcp, default = (set(IMPORTED.findall((logs / f"{kind}.log").read_text())) for kind in KINDS)
    assert (web & mcp) | (web & default) | (mcp & default) == set()


def test_what_was_left_out_meanwhile_is_there_when_the_api_is_described(start: Start, tmp_path: Path) -> None:
    up = start(tmp_path / "data").wait_for_curl()
    assert fetch(f"http://127.0.0.1:{up.port}/api/schema?format=json")["openapi"].startswith("3.")
