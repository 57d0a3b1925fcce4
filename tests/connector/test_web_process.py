"""What a web process carries with it."""

import subprocess
import sys

from tests.connector.processes import ROOT, environment

SCRIPT = """
import django, sys
django.setup()
import config.application, config.urls
print(sorted(name for name in sys.modules if name.partition(".")[0] == "mcp"))
"""


def test_it_never_imports_the_mcp_client(db: None) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "[]\n"
