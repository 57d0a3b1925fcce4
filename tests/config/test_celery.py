"""What a Celery worker loads before it gets its first task."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = """
import sys
from config.celery import app
app.loader.import_default_modules()
app.finalize()
print(*sys.modules, sep="\\n")
"""


def test_a_worker_loads_the_tasks_and_neither_views_nor_the_agent() -> None:
    command = [sys.executable, "-c", SCRIPT]
    environment = {name: value for name, value in os.environ.items() if name != "CELERY_SKIP_CHECKS"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.splitlines())
    assert {"connector.tasks", "assistants.tasks", "tools.tasks"} <= loaded
    assert not {"config.urls", "config.application", "assistants.openai_api", "connector.api"} & loaded
    assert not {"assistants.agent", "strands"} & loaded
