"""What a web process loads: neither the MCP client, nor the code that only a worker runs."""

import subprocess
import sys

from tests.connector.processes import ROOT, environment

SCRIPT = """
import sys
import config.asgi, config.urls
from django.urls import get_resolver
get_resolver().url_patterns
print(*sys.modules, sep="\\n")
"""
OF_WORKERS = ("session", "process", "lifecycle", "data_plane", "supervisor")
FORBIDDEN = ("mcp", *(f"connector.{package}" for package in OF_WORKERS))


def test_it_loads_neither_the_mcp_client_nor_what_only_a_worker_runs(db: None) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = result.stdout.splitlines()
    assert "connector.client.calls" in loaded
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{each}." for each in FORBIDDEN))] == []
