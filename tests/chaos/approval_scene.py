"""The processes of a storm of approvals: only the worker of the MCP server is left alone."""

import sys
import time
from collections import Counter
from functools import partial
from random import Random

from config.runner.network import free_port
from config.runner.processes import Program
from config.runner.programs import CELERY, WORKER
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World
from tests.stack import readiness

WEBS, WORKERS = 2, 2
OUTAGE_S = 0.5, 4.0
"""Shorter than a lease of the supervision: the MCP server lives through it."""
SERVICES_SHARE = 0.35
"""How many of the strikes hit PostgreSQL and Redis."""
SETTINGS = {"APPROVAL_HOLD_S": "0.5", "WEB_DRAIN_S": "2", "SUPERVISOR_DRAIN_S": "2"}


class Installation:
    """Web processes, default workers and beat beside the world's own services."""

    def __init__(self, world: World) -> None:
        self._world = world
        ports = [free_port() for _ in range(WEBS)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        webs = [[sys.executable, "-m", "config.web", "--port", str(port)] for port in ports]
        workers = [[*WORKER, "-Q", "default", "-n", f"default{number}@storm"] for number in range(WORKERS)]
        beat = [*CELERY, "beat", "--schedule", str(world.folder / "schedule"), "--pidfile", ""]
        self._processes = [
            self._victim(f"{name}{number}", command)
            for name, commands in (("web", webs), ("default", workers), ("beat", [beat]))
            for number, command in enumerate(commands)
        ]
        self.struck: Counter[str] = Counter()

    def start(self) -> None:
        self._world.start_worker("mcp@storm")
        for process in self._processes:
            process.start()
            self._world.helpers.append(process)

    def is_ready(self) -> bool:
        self.tend()
        return all(readiness(url) == "ok" for url in self.urls)

    def strike(self, random: Random) -> None:
        """Kills one of them. A service comes back after a moment, a process when it is tended."""
        services = [self._world.postgres, self._world.redis]
        victim = random.choice(services if random.random() < SERVICES_SHARE else self._processes)
        if not victim.is_alive:
            return
        self.struck[victim.name] += 1
        victim.kill()
        if victim in services:
            time.sleep(random.uniform(*OUTAGE_S))
            victim.start()
            victim.wait_until_ready()

    def tend(self) -> None:
        """Starts what has ended, as a process manager does."""
        for process in self._processes:
            if not process.is_alive:
                process.start()

    def _victim(self, name: str, command: list[str]) -> Victim:
        program = partial(Program, name, command, cwd=ROOT, env=SETTINGS)
        return Victim(name, program, self._world.folder / f"{name}.log")
