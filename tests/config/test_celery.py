"""What a Celery worker loads before it gets its first task, by kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from core.metrics import files

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = """
import sys
from config.celery import app
app.loader.import_default_modules()
app.finalize()
from connector.supervisor import bootstep
if sys.argv[1] == "mcp": import connector.supervisor.worker
print(*sys.modules, sep="\\n")
"""
ENDS = """
import os
from celery.signals import worker_shutdown
from config.celery import app, watch_tasks
app.loader.import_default_modules()
watch_tasks()
from core import metrics
metrics.TASKS.add("a", "success")
worker_shutdown.send(sender=None)
os._exit(0)  # as the runner's forks end
"""
TASKS = {"connector.tasks", "assistants.tasks", "tools.tasks"}
APPS = ("apikeys", "tools", "connector", "assistants")
VIEWS = (
    *("config.urls", "config.application", "assistants.openai_api"),
    *("assistants.mcp_endpoint", "assistants.console"),
    *(f"{app}.{package}" for app in APPS for package in ("admin", "api")),
)
OF_NO_WORKER = (*VIEWS, "assistants.agent", "strands", "boto3", "botocore", "typer", "rich", "mcp.server")
OF_NO_OTHER = ("mcp", "connector.session", "connector.lifecycle", "connector.data_plane")


def loaded(kind: str) -> set[str]:
    command = [sys.executable, "-c", SCRIPT, kind]
    environment = {name: value for name, value in os.environ.items() if name != "CELERY_SKIP_CHECKS"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines())


def of(packages: tuple[str, ...], modules: set[str]) -> list[str]:
    return sorted(name for name in modules if f"{name}.".startswith(tuple(f"{each}." for each in packages)))


@pytest.mark.parametrize(
    ("kind", "forbidden"), [("mcp", OF_NO_WORKER), ("default", OF_NO_WORKER + OF_NO_OTHER)]
)
def test_a_worker_loads_the_tasks_and_not_what_other_processes_are_for(
    kind: str, forbidden: tuple[str, ...]
) -> None:
    modules = loaded(kind)
    assert modules >= TASKS
    assert of(forbidden, modules) == []


def test_a_worker_that_ends_has_written_what_it_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "METRICS_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, env=environment, check=True)
    monkeypatch.setattr(settings, "METRICS_DIR", str(tmp_path))
    assert 'mcp_connector_tasks_total{outcome="success",task="a"} 1.0' in files.rendered().decode()
