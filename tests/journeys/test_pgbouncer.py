"""PgBouncer in transaction mode before the database; DATABASE_DIRECT_URL for what needs a session."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey
from config.runner.network import free_port
from config.runner.processes import Program, Running
from connector.models import Worker
from tests.stack import BY, DATABASE, Stack, readiness, wait_for

pytestmark = pytest.mark.timeout(300)
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIGURATION = """
[databases]
{database} = host={host} port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = options
"""


@pytest.fixture(scope="module")
def pooler(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the stack's database, through PgBouncer."""
    if PROGRAM is None:
        pytest.skip("There is no pgbouncer here.")
    host = os.environ["DATABASE_URL"].partition("host=")[2].replace("%2F", "/")
    if not host.startswith("/"):
        pytest.skip("The database is not the embedded one.")
    folder, port = tmp_path_factory.mktemp("pgbouncer"), free_port()
    file = folder / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(database=DATABASE, host=host, port=port))
    _open_to_all(file)
    Path(host).parent.chmod(0o711)
    user = ["--user", "nobody"] if os.geteuid() == 0 else []
    running = Running(Program("pgbouncer", [PROGRAM, *user, str(file)], cwd=folder), folder / "log")
    url = f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}"
    try:
        running.wait_until(lambda: _answers(url), timeout_s=20)
        yield url
    finally:
        running.stop(timeout_s=5)


def _open_to_all(file: Path) -> None:
    """Lets the user of PgBouncer, who is not root, read it."""
    file.chmod(0o644)
    for folder in list(file.parents)[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def pooled(stack: Stack, pooler: str) -> Iterator[str]:
    """The address of a web process that reaches the database through PgBouncer, as the MCP worker does."""
    settings = {"DATABASE_URL": pooler, "DATABASE_DIRECT_URL": stack._environment["DATABASE_URL"]}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stack.process("mcp").stop(timeout_s=30)
    stack.start_process("mcp", **settings)
    web = stack.start_process("pooled-web", stack.web_command(port), **settings)
    wait_for(lambda: readiness(url) == "ok" and _worker_lives(stack), within_s=120)
    yield url
    web.stop(timeout_s=20)
    stack.process("mcp").stop(timeout_s=30)
    stack.start_process("mcp")
    wait_for(lambda: _worker_lives(stack), within_s=60)


def _worker_lives(stack: Stack) -> bool:
    with stack.database():
        return Worker.objects.alive().exists()


def chat(url: str, key: IssuedKey) -> httpx.Response:
    said = [{"role": "user", "content": "What is the pid?"}]
    body = {"model": "pooled", "messages": said, "tool_choice": "required"}
    headers = {"authorization": f"Bearer {key.key}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60)


def test_chats_leases_and_the_change_feed_work(stack: Stack, pooled: str) -> None:
    before = {name: len(stack.log(name)) for name in ("pooled-web", "mcp")}
    key = stack.key("pooled")
    stack.assistant("pooled", stack.server("Pooled"), keys=(key,))
    for _ in range(10):
        answer = chat(pooled, key)
        assert answer.status_code == 200, answer.text
        made = answer.json()["choices"][0]["message"]["mcp_connector"]["tool_calls"]
        assert [each["status"] for each in made] == ["ok"]
    with stack.database():
        key_actions.update(ApiKey.objects.get(pk=key.api_key.pk), by=BY, is_disabled=True)
    time.sleep(1)
    assert chat(pooled, key).status_code == 401
    for name, length in before.items():
        said = stack.log(name)[length:]
        assert "Traceback" not in said
        assert "change feed lost" not in said
