"""The last release and this one run beside each other, on this one's database, as while an upgrade goes on.

LAST_RELEASE names a commit in place of the newest tag `v*`.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from apikeys.actions import IssuedKey
from config.runner.network import free_port
from connector.models import Worker
from tests.stack import ROOT, Stack, readiness, wait_for
from tools.models import MCPTool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the last release."""
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
    return folder


@pytest.fixture
def server(stack: Stack) -> MCPTool:
    return stack.server("Last release")


@pytest.fixture
def key(stack: Stack, server: MCPTool) -> IssuedKey:
    key = stack.key("last-release")
    stack.assistant("last-release", server, keys=(key,))
    return key


def replaced(stack: Stack, folder: Path) -> None:
    """Replaces the MCP worker by one of this folder."""
    stack.process("mcp").stop(timeout_s=30)
    before = workers(stack)
    stack.start_process("mcp", ["env", "-C", str(folder), *stack._commands["mcp"]])
    wait_for(lambda: workers(stack) - before, within_s=120)


def workers(stack: Stack) -> set[str]:
    with stack.database():
        return set(Worker.objects.alive().values_list("name", flat=True))


@pytest.fixture
def of_last(stack: Stack, last: Path) -> Iterator[None]:
    """The MCP worker is of the last release."""
    replaced(stack, last)
    yield
    replaced(stack, ROOT)


@pytest.fixture
def web_of_last(stack: Stack, last: Path) -> Iterator[str]:
    """The address of a web process of the last release."""
    port = free_port()
    command = ["env", "-C", str(last), sys.executable, *stack.web_command(port)[1:]]
    web = stack.start_process("last-web", command)
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


def test_its_web_process_is_served_by_this_worker(key: IssuedKey, web_of_last: str) -> None:
    assert chat(web_of_last, key) == ["ok"]
