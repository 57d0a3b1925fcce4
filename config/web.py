"""A web process: `python -m config.web`, with any options of the command `uvicorn`.

It gives uvicorn our HTTP protocol and WEB_CONCURRENCY, SHUTDOWN_DELAY_S and WEB_DRAIN_S, and ends with status
1 when it cannot start. If it is to be several processes, it answers no request itself: uvicorn keeps so many
forks of it running, which share its socket, and the memory of what it has loaded.
"""

import math
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.context import ForkProcess
from types import SimpleNamespace
from typing import ClassVar

import uvicorn._subprocess
from django.conf import settings
from django.utils.module_loading import import_string
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE
from uvicorn.main import main as uvicorn_command

from config.draining import DrainingServer
from config.environment import load_settings
from config.runner.exec_wrapper import die_with
from config.safety import require_safe_settings

OPTIONS = (
    *("--http", "config.asgi:Protocol", "--ws", "none", "--lifespan", "on"),
    *("--no-server-header", "--no-access-log"),
    # A process that does not answer its parent for so long is killed, and replaced.
    *("--timeout-worker-healthcheck", "30"),
)
ASKS = {"--help", "--version"}


class Worker(ForkProcess):
    """One of several web processes. It ends with its parent, and as `config.asgi.end_cleanly` says."""

    started: ClassVar[list["Worker"]] = []

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        # Without those that uvicorn has replaced: only what does not even start says something of all.
        Worker.started = [each for each in Worker.started if each.exitcode in {None, STARTUP_FAILURE}]
        Worker.started.append(self)

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_OK))
        # Not os.getppid(): the parent may have died already.
        die_with(self._parent_pid, signal.SIGTERM)  # type: ignore[attr-defined]
        super().run()


def main(arguments: Sequence[str]) -> None:
    load_settings()
    require_safe_settings()
    import_module("config.asgi")
    if not ASKS.intersection(arguments):
        # By name: it imports models, which can be imported only once Django is set up.
        import_string("config.fit_database.require_fit_database")()
    # Its lines go where all others do. Had uvicorn a configuration of its own, this would visit each logger,
    # and a fork of the runner would copy the memory of all of them.
    LOGGING_CONFIG.clear()
    LOGGING_CONFIG.update(version=1, incremental=True)
    # uvicorn would start new interpreters, each of which would load everything.
    uvicorn._subprocess.spawn = SimpleNamespace(Process=Worker)  # type: ignore[assignment]  # noqa: SLF001
    for module in ("uvicorn.main", "uvicorn.supervisors.multiprocess"):
        vars(import_module(module))["Server"] = DrainingServer
    workers = ("--workers", str(settings.WEB_CONCURRENCY))
    drain = ("--timeout-graceful-shutdown", str(math.ceil(settings.WEB_DRAIN_S)))
    try:
        uvicorn_command(["config.asgi:application", *OPTIONS, *workers, *drain, *arguments])
    except SystemExit as end:
        failed = STARTUP_FAILURE in (end.code, *(worker.exitcode for worker in Worker.started))
        sys.exit(1 if failed else end.code)


if __name__ == "__main__":
    main(sys.argv[1:])
