"""The processes of the product itself."""

import sys
from pathlib import Path

from config.runner.processes import Program

CELERY = (sys.executable, "-m", "celery", "-A", "config")
# Nobody asks who else is there: a start without mingling is a second shorter, and no event need tell of life.
QUIETLY = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER = (*CELERY, "worker", "-P", "threads", "-c", "4", *QUIETLY)


def serving(host: str, port: int) -> list[Program]:
    """What a chat needs."""
    web = (sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", host, "--port", str(port))
    quiet = ("--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5")
    return [
        Program("web", [*web, *quiet]),
        Program("worker-mcp", [*WORKER, "-Q", "mcp", "-n", "mcp@%h"]),
    ]


def background(data_dir: Path) -> list[Program]:
    schedule = str(data_dir / "beat")
    return [
        Program("worker", [*WORKER, "-Q", "default", "-n", "default@%h"]),
        Program("beat", [*CELERY, "beat", "--schedule", schedule, "--pidfile", ""]),
    ]
