"""The last release and this one run beside each other, on this one's database, as while an upgrade goes on.

LAST_RELEASE names a commit in place of the newest tag `v*`. It runs with the packages of its own lock.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import uv

from apikeys.actions import IssuedKey
from config.runner.network import free_port
from connector.models import Worker
from tests.stack import ROOT, Stack, readiness, wait_for
from tools.models import MCPTool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


LOCK = "requirements.lock"


@dataclass(frozen=True)
class Release:
    folder: Path
    python: str

    def command(self, ours: list[str]) -> list[str]:
        """Returns a command of ours as this release runs it."""
        return ["env", "-C", str(self.folder), self.python, *ours[1:]]


OURS = Release(ROOT, sys.executable)


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Release:
    try:
        name = os.environ.get("LAST_RELEASE") or git("tag", "--list", "v*", "--sort=-v:refname").decode()
        archive = git("archive", name.split()[0]) if name else b""
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"There is no history of git to take the last release from ({type(error).__name__}).")
    if not archive:
        pytest.skip("There is no release yet: no tag v*.")
    folder = tmp_path_factory.mktemp("last")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return Release(folder, python_for(folder))


def python_for(folder: Path) -> str:
    """Returns a Python with the packages of the release in this folder: ours, where its lock is the same."""
    if (folder / LOCK).read_bytes() == (ROOT / LOCK).read_bytes():
        return sys.executable
    program = folder / ".venv" / "bin" / "python"
    for step in (
        ["venv", "--quiet", "--python", sys.executable, str(folder / ".venv")],
        ["pip", "sync", "--quiet", "--require-hashes", "--python", str(program), str(folder / LOCK)],
    ):
        environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
        subprocess.run([uv.find_uv_bin(), *step], env=environment, check=True, timeout=400)
    return str(program)


@pytest.fixture(scope="module")
def server(stack: Stack) -> MCPTool:
    return stack.server("Last release")


@pytest.fixture(scope="module")
def key(stack: Stack, server: MCPTool) -> IssuedKey:
    key = stack.key("last-release")
    stack.assistant("last-release", server, keys=(key,))
    return key


def replaced(stack: Stack, release: Release) -> None:
    """Replaces the MCP worker by one of this release."""
    stack.process("mcp").stop(timeout_s=30)
    before = workers(stack)
    stack.start_process("mcp", release.command(stack._commands["mcp"]))
    wait_for(lambda: workers(stack) - before, within_s=120)


def workers(stack: Stack) -> set[str]:
    with stack.database():
        return set(Worker.objects.alive().values_list("name", flat=True))


@pytest.fixture
def of_last(stack: Stack, last: Release) -> Iterator[None]:
    """The MCP worker is of the last release."""
    replaced(stack, last)
    yield
    replaced(stack, OURS)


@pytest.fixture
def web_of_last(stack: Stack, last: Release) -> Iterator[str]:
    """The address of a web process of the last release."""
    port = free_port()
    web = stack.start_process("last-web", last.command(stack.web_command(port)))
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=120)
    yield url
    web.stop(timeout_s=20)


def chat(url: str, key: IssuedKey) -> Any:
    """Returns the statuses of the calls in a chat."""
    said = [{"role": "user", "content": "What is the pid?"}]
    body = {"model": "last-release", "messages": said, "tool_choice": "required"}
    headers = {"authorization": f"Bearer {key.key}"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=90)
    assert answer.status_code == 200, answer.text
    return [each["status"] for each in answer.json()["choices"][0]["message"]["mcp_connector"]["tool_calls"]]


@pytest.mark.usefixtures("of_last")
def test_its_worker_serves_this_web_process(stack: Stack, server: MCPTool, key: IssuedKey) -> None:
    stack.wait_for_status(server, "running")
    assert chat(stack.url, key) == ["ok"]
    assert "Traceback" not in stack.log("web")


def test_its_web_process_is_served_by_this_worker(stack: Stack, key: IssuedKey, web_of_last: str) -> None:
    assert chat(web_of_last, key) == ["ok"]
    assert "Traceback" not in stack.log("last-web")
