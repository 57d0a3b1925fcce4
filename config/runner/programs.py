"""The processes of the product itself."""

import sys
from pathlib import Path

from config.runner.processes import Program


def product(host: str, port: int, data_dir: Path) -> list[Program]:
    celery = (sys.executable, "-m", "celery", "-A", "config")
    # Nobody asks who else is there: a start without mingling is a second shorter.
    worker = (*celery, "worker", "-P", "threads", "-c", "4", "--without-gossip", "--without-mingle")
    schedule = str(data_dir / "beat")
    return [
        Program("web", _web(host, port)),
        Program("worker-mcp", [*worker, "-Q", "mcp", "-n", "mcp@%h"]),
        Program("worker", [*worker, "-Q", "default", "-n", "default@%h"]),
        Program("beat", [*celery, "beat", "--schedule", schedule, "--pidfile", ""]),
    ]


def _web(host: str, port: int) -> list[str]:
    serve = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", host, "--port", str(port)]
    return [*serve, "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5"]
