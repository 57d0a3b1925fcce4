"""A world for chaos and benchmarks: PostgreSQL, Redis and Celery workers in a folder, and Django for them."""

import logging
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import django
from cryptography.fernet import Fernet
from django.core.management import call_command

from config.runner import postgres, redis
from config.runner.network import free_port
from config.runner.processes import Program, Service
from config.runner.programs import CELERY, WORKER
from tests.chaos.victims import Victim

ROOT = Path(__file__).resolve().parent.parent.parent
STOPS_WITHIN_S = 20.0
SHORT_TIMES = {
    "SUPERVISOR_LEASE_S": "6",
    "SUPERVISOR_HEARTBEAT_S": "1",
    "SUPERVISOR_HEALTH_S": "2",
    "SUPERVISOR_DRAIN_S": "2",
}


class World:
    """`run` is its name: every process of its MCP servers has `CHAOS_RUN=<run>` in its environment."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.run = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.folder = folder
        self.postgres = self._service(postgres.service(folder / "postgres"))
        self.redis = self._service(redis.service(folder / "redis"))
        self.workers: list[Victim] = []
        self.helpers: list[Victim] = []
        self._prepare(settings)

    @property
    def lease_s(self) -> float:
        return float(os.environ.get("SUPERVISOR_LEASE_S", "15"))

    def start_services(self) -> None:
        for service in (self.postgres, self.redis):
            service.start()
            service.wait_until_ready()
        django.setup()
        logging.disable(logging.WARNING)  # the faults are intended: their warnings would hide everything else
        call_command("migrate", verbosity=0)

    def start_worker(self, node: str, command: list[str] | None = None, **settings: str) -> Victim:
        """Starts a Celery worker on the queue `mcp`; `command` comes before its own command line."""
        own = [*(command or []), *WORKER, "-Q", "mcp", "-n", node]
        program = Program(node, own, cwd=ROOT, env=settings)
        log = self.folder / f"{node}.log"
        worker = Victim(node, lambda: program, log, whole_tree=command is not None)
        worker.start()
        self.workers.append(worker)
        return worker

    def start_beats(self, number: int, **settings: str) -> None:
        """And a worker for their tasks. More than one beat does no harm."""
        self._start_helper("worker", [*WORKER, "-Q", "default", "-n", "default@storm"], settings)
        for index in range(number):
            schedule = str(self.folder / f"schedule{index}")
            beat = [*CELERY, "beat", "--schedule", schedule, "--pidfile", ""]
            self._start_helper(f"beat{index}", beat, settings)

    def start_web(
        self, name: str, command: list[str] | None = None, *, at: str = "127.0.0.1", **settings: str
    ) -> str:
        """Starts a web process; returns its address. `command` comes before its own command line."""
        port = free_port()
        web = [sys.executable, "-m", "config.web", "--host", at, "--port", str(port)]
        settings = {"WEB_DRAIN_S": "2", "ALLOWED_HOSTS": at, **settings}
        self._start_helper(name, [*(command or []), *web], settings, whole_tree=command is not None)
        return f"http://{at}:{port}"

    def start_llm(self, host: str = "127.0.0.1") -> dict[str, str]:
        """Starts the stand-in of the demo; returns the settings that name it."""
        port = free_port()
        serve = [sys.executable, "-m", "uvicorn", "config.standin.app:app", "--no-access-log"]
        self._start_helper("llm", [*serve, "--host", host, "--port", str(port)], {})
        url = f"http://{host}:{port}/v1"
        return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "stand-in", "OPENAI_MODEL": "stand-in"}

    def _start_helper(
        self, name: str, command: list[str], settings: Mapping[str, str], *, whole_tree: bool = False
    ) -> None:
        program = Program(name, command, cwd=ROOT, env=settings)
        helper = Victim(name, lambda: program, self.folder / f"{name}.log", whole_tree=whole_tree)
        helper.start()
        self.helpers.append(helper)

    def stop_workers(self) -> dict[str, int | None]:
        """Their exit codes by name."""
        for worker in self.workers:
            worker.thaw()
            worker.terminate()
        codes = {worker.name: worker.wait(timeout_s=STOPS_WITHIN_S) for worker in self.workers}
        self.workers.clear()
        return codes

    def stop(self) -> None:
        self.stop_workers()
        for helper in self.helpers:
            helper.stop(timeout_s=STOPS_WITHIN_S)
        for service in (self.redis, self.postgres):
            service.thaw()
            service.stop(timeout_s=10)

    def _service(self, service: Service) -> Victim:
        os.environ |= service.environment
        log = self.folder / f"{service.name}.log"
        return Victim(service.name, service.program, log, is_ready=service.is_ready, whole_tree=True)

    def _prepare(self, settings: Mapping[str, str]) -> None:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATA_DIR": str(self.folder),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SECRET_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "MCP_ALLOWED_COMMANDS": f"python,{sys.executable}",
            "MAX_DB_CONNECTIONS": "8",
            **settings,
        }


@contextmanager
def world(settings: Mapping[str, str]) -> Iterator[World]:
    """Its services run. On SIGTERM, too, everything is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="mcpc-") as folder:
        made = World(Path(folder), settings)
        try:
            made.start_services()
            yield made
        finally:
            made.stop()


def wait_for(condition: Callable[[], object], *, within_s: float, what: str) -> float:
    """Seconds until it was true. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began
