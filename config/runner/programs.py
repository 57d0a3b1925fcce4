"""The command lines of the product's own processes."""

import sys
from collections.abc import Sequence

from config.runner.processes import Program

CELERY = (sys.executable, "-m", "celery", "-A", "config")
# Workers exchange events by these, and nothing here reads them. Without mingling a start is a second shorter.
NO_EVENTS = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER = (*CELERY, "worker", "-P", "threads", "-c", "4", *NO_EVENTS)


def preparing(base_url: str, options: Sequence[str]) -> Program:
    """Returns the process that prepares the database. `options` are those of `up`."""
    return _forked("prepare", "config.runner.preparation", base_url, *options)


def serving(host: str, port: int) -> list[Program]:
    """Returns the processes that a chat needs."""
    return [
        _forked("web", "config.web", "--host", host, "--port", str(port)),
        Program("worker-mcp", [*WORKER, "-Q", "mcp", "-n", "mcp@%h"], is_forked=True),
    ]


def awaiting(base_url: str) -> Program:
    """Returns the process that ends when the others can answer a chat, or with what is late."""
    return _forked("readiness", "config.runner.readiness", base_url)


def background() -> list[Program]:
    """Returns the processes that do everything else: indexing, deleting, responses in the background."""
    return [Program("worker", [*WORKER, "-Q", "default", "-n", "default@%h", "-B"], is_forked=True)]


def _forked(name: str, module: str, *arguments: str) -> Program:
    return Program(name, [sys.executable, "-m", module, *arguments], is_forked=True)
