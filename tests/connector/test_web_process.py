"""What a web process loads: no MCP client, no code that only a worker runs, nothing that few need."""

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
OF_NOBODY = (
    *("boto3", "botocore", "typer", "rich", "prompt_toolkit", "numpy", "onnxruntime", "tokenizers"),
    *("sqlite3", "strands.bidi"),
)
FORBIDDEN = ("mcp", *OF_NOBODY, *(f"connector.{package}" for package in OF_WORKERS))


def test_it_loads_nothing_that_only_a_worker_or_hardly_anybody_needs(db: None) -> None:
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
