"""What the tab Connect offers to copy runs as it stands there, with a key in the environment."""

import os
import shutil
import subprocess
import sys

import pytest

from assistants.console.connect import snippets
from tests.stack import Stack


@pytest.mark.parametrize("name", ["curl", "Python"])
def test_copied_settings_reach_the_assistant(stack: Stack, name: str) -> None:
    key = stack.key(f"connect-{name}")
    slug = f"connect-{name.lower()}"
    stack.assistant(slug, keys=(key,))
    stack.llm.script(slug, {"text": "It works."})
    (code,) = [each.code for each in snippets(stack.url, slug, with_mcp=False) if each.client.name == name]
    program = [shutil.which("sh") or "sh", "-c"] if name == "curl" else [sys.executable, "-c"]
    environment = {**os.environ, "API_KEY": key.key}
    ran = subprocess.run(
        [*program, code], check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "It works." in ran.stdout, ran.stderr
