"""The whole product as it runs in production, on a database of its own: the session fixture `stack`.

Web and workers are real processes with short supervision times; the LLM is the scripted stand-in (`llm`).
Tests make HTTP requests, and create servers, assistants and keys with the apps' actions.
"""

import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from assistants import actions as assistant_actions
from assistants.models import Assistant
from config.runner.network import free_port
from config.runner.processes import Program, Running
from core.actor import Actor
from tests.database import connected_to, create
from tests.llm import ScriptedLLM
from tools import actions as tool_actions
from tools.models import MCPTool, Status

BY = Actor.system("tests")
ROOT = Path(__file__).resolve().parent.parent
DATABASE = "journeys"
SERVERS = ROOT / "tests" / "servers"
TIMES = {
    "SUPERVISOR_LEASE_S": "6",
    "SUPERVISOR_HEARTBEAT_S": "1",
    "SUPERVISOR_POLL_S": "0.5",
    "SUPERVISOR_HEALTH_S": "2",
    "SUPERVISOR_DRAIN_S": "1",
    "STREAM_HEARTBEAT_S": "1",
    "APPROVAL_HOLD_S": "4",
    "LLM_READ_TIMEOUT_S": "15",
    "WEB_DRAIN_S": "2",
}


class Stack:
    def __init__(self, llm: ScriptedLLM, folder: Path, unblock: Callable[[], Any]) -> None:
        self.llm = llm
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._unblock = unblock
        self._running: dict[str, Running] = {}

    # --- processes ---

    def start(self) -> None:
        for name in ("web", "mcp", "default"):
            self.start_process(name)
        self.wait_until_ready()

    def start_process(self, name: str, command: list[str] | None = None, **environment: str) -> Running:
        """Starts one of the stack's own processes, or another `command` beside them."""
        environment = {**self._environment, **environment}
        program = Program(name, command or self._commands[name], cwd=ROOT, env=environment)
        self._running[name] = Running(program, self.folder / f"{name}.log")
        return self._running[name]

    def web_command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "config.web", "--port", str(port), "--log-level", "warning"]

    def process(self, name: str) -> Running:
        return self._running[name]

    def stop(self) -> None:
        for running in self._running.values():
            running.ask_to_stop()
        for running in self._running.values():
            running.stop(timeout_s=15)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_until_ready(self) -> None:
        wait_for(lambda: readiness(self.url) == "ok", within_s=110)

    @property
    def _commands(self) -> dict[str, list[str]]:
        celery = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", "4"]
        return {
            "web": self.web_command(self.port),
            "mcp": [*celery, "-Q", "mcp", "-n", "mcp@journeys"],
            "default": [
                *celery,
                "-Q",
                "default",
                "-B",
                "-s",
                str(self.folder / "beat"),
                "-n",
                "default@journeys",
            ],
        }

    @property
    def _environment(self) -> dict[str, str]:
        base, _, query = os.environ["DATABASE_URL"].partition("?")
        return {
            **TIMES,
            "MAX_DB_CONNECTIONS": "4",
            "DATABASE_URL": f"{base.rpartition('/')[0]}/{DATABASE}?{query}",
            "OPENAI_BASE_URL": self.llm.base_url,
            "OPENAI_API_KEY": "stand-in-key",
            "OPENAI_MODEL": "stand-in",
            "PYTHONWARNINGS": "default",
        }

    # --- the scene ---

    @contextmanager
    def database(self) -> Iterator[None]:
        """Connects the ORM of the test process to the stack's database."""
        with self._unblock(), connected_to(DATABASE):
            yield

    def server(self, name: str, *args: str, wait: bool = True, **fields: Any) -> MCPTool:
        """Registers an MCP server, and waits until it runs: tests/servers/fake.py, unless `fields` differ."""
        fake = {
            "connection_type": "stdio",
            "command": sys.executable,
            "args": [str(SERVERS / "fake.py"), *args],
        }
        with self.database():
            server = tool_actions.register(by=BY, name=name, **{**fake, **fields})
        if wait:
            self.wait_for_status(server, Status.RUNNING)
        return server

    def wait_for_status(self, server: MCPTool, wanted: str, *, within_s: float = 60) -> MCPTool:
        with self.database():
            wait_for(lambda: MCPTool.objects.get(pk=server.pk).status == wanted, within_s=within_s)
            return MCPTool.objects.get(pk=server.pk)

    def assistant(
        self, slug: str, *servers: MCPTool, keys: tuple[IssuedKey, ...], **fields: Any
    ) -> Assistant:
        """Creates an assistant. Its LLM follows the script that is named by its slug."""
        with self.database():
            return assistant_actions.create(
                by=BY,
                name=slug,
                slug=slug,
                model=slug,
                tools=list(servers),
                api_keys=[key.api_key for key in keys],
                **fields,
            )

    def key(self, name: str, **fields: Any) -> IssuedKey:
        with self.database():
            return key_actions.issue(by=BY, name=name, **fields)

    def rule(self, name: str, then: str, **fields: Any) -> int:
        """Adds a rule by the management API: when that has answered, no request is judged without it."""
        headers = {"authorization": f"Bearer {self._manager.key}"}
        body = {"name": name, "then": then, **fields}
        answer = httpx.post(f"{self.url}/api/v1/rules", json=body, headers=headers, timeout=20)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return int(answer.json()["id"])

    @cached_property
    def _manager(self) -> IssuedKey:
        return self.key("manager of the stack", can_manage=True)


def readiness(url: str) -> str:
    """Returns the status of /ready, or "" while nothing answers."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=3) as response:
            return str(json.load(response)["status"])
    except OSError:
        return ""


def wait_for(condition: Callable[[], object], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def stack(llm: ScriptedLLM, migrated: str, django_db_setup: None, django_db_blocker: Any) -> Iterator[Stack]:
    create(DATABASE, template=migrated)
    with tempfile.TemporaryDirectory(prefix="mcp-connector-stack-") as folder:
        stack = Stack(llm, Path(folder), django_db_blocker.unblock)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
