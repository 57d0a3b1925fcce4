"""A web process whose PostgreSQL is frozen: it answers 503 in seconds, ends when told to, and recovers."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from config.runner import postgres
from config.runner.network import accepts, free_port
from config.runner.processes import Program, Running
from tests.stack import wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
UNKNOWN = "ak-524058-DG2NZX0uwNM8Ic0VlBBmFCydkl-adw0oRmBJ"  # well-formed


class Scene:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        service = postgres.service(folder / "postgres", durable=False)
        self.postgres = Running(service.program(), folder / "postgres.log")
        stack.callback(self.postgres.stop, timeout_s=30)
        self.postgres.wait_until(service.is_ready, timeout_s=30)
        stack.callback(self.thaw)
        self._environment = service.environment
        self.manage("migrate", "--verbosity", "0")
        self.key = self.manage("create_key", "caller").strip()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "config.web", "--port", str(port)]
        environment = {**self._environment, "WEB_DRAIN_S": "1"}
        self.web = Running(Program("web", command, cwd=ROOT, env=environment), folder / "web.log")
        stack.callback(self.web.stop, timeout_s=30)
        self.web.wait_until(lambda: accepts(port), timeout_s=60)

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        environment = {**os.environ, **self._environment}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def freeze(self) -> None:
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        for process in reversed(self._processes()):
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        if not self.postgres.is_alive():
            return []
        process = psutil.Process(self.postgres.popen.pid)
        return [process, *process.children(recursive=True)]

    def ask(self, path: str, key: str) -> tuple[float, httpx.Response]:
        began = time.monotonic()
        headers = {"authorization": f"Bearer {key}"}
        response = httpx.get(f"{self.url}{path}", headers=headers, timeout=60)
        return time.monotonic() - began, response


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


@pytest.mark.timeout(180)
def test_a_frozen_database(scene: Scene) -> None:
    assert scene.ask("/v1/models", scene.key)[1].status_code == 200
    scene.freeze()
    time.sleep(5)  # then nothing cached may be served any more
    with ThreadPoolExecutor(60) as pool:
        chats = [pool.submit(scene.ask, "/v1/models", scene.key) for _ in range(50)]
        for seconds, response in [chat.result() for chat in chats]:
            assert (response.status_code, response.json()["error"]["code"]) == (503, "database_unavailable")
            assert seconds < 20
    assert scene.ask("/health", scene.key)[0] < 3
    scene.thaw()
    wait_for(lambda: scene.ask("/v1/models", scene.key)[1].status_code == 200, within_s=30)

    scene.freeze()
    with ThreadPoolExecutor(5) as pool:
        management = [pool.submit(scene.ask, "/api/v1/me", scene.key) for _ in range(5)]
        time.sleep(1)
        scene.web.ask_to_stop()
        assert scene.web.popen.wait(20) == 0  # the query would be waited for for 30 s
        assert {asked.result()[1].status_code for asked in management} == {503}
