import json
import signal
import socket
import stat
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from config.runner import env_file
from tests.config.installation import Installation, Start, fetch, follow

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def installation(start: Start, data_dir: Path) -> Installation:
    return start(data_dir).wait_for_curl()


def assert_gone(processes: list[psutil.Process], *, timeout_s: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    assert [" ".join(each.cmdline()) for each in alive if lives(each)] == []


def lives(process: psutil.Process) -> bool:
    """A zombie counts as dead: its new parent has not reaped it yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_printed_curl_line_tells_the_time_in_shanghai(installation: Installation):
    answer = follow(installation.curl)
    text = answer["choices"][0]["message"]["content"]
    assert datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:") in text


def test_everything_is_ready_when_it_is_printed(installation: Installation):
    ready = fetch(f"http://127.0.0.1:{installation.port}/ready")
    assert ready == {"status": "ok", "database": "ok", "redis": "ok", "workers": "ok"}
    assert not [line for line in installation.output if line.startswith("Not everything is up")]
    assert (installation.data_dir / "logs" / "prepare.log").read_text() == ""


def test_the_admin_login_works(installation: Installation):
    demo = env_file.read(installation.data_dir / "demo.env")
    login = f"username={demo['ADMIN_USERNAME']!r}, password={demo['ADMIN_PASSWORD']!r}"
    # With a request, which the throttle of logins wants.
    code = (
        "from django.contrib.auth import authenticate; from django.http import HttpRequest;"
        f" print(authenticate(HttpRequest(), {login}).is_superuser)"
    )
    assert installation.manage("shell", "--verbosity", "0", "--command", code) == "True\n"


def test_commands_with_the_same_folder_reach_the_same_database(installation: Installation):
    key = installation.manage("create_key", "from a command", "--assistant", "demo").strip()
    models = fetch(
        f"http://127.0.0.1:{installation.port}/v1/models", headers={"Authorization": f"Bearer {key}"}
    )
    assert [model["id"] for model in models["data"]] == ["demo"]


def test_its_secrets_can_be_read_only_by_its_owner(installation: Installation, data_dir: Path):
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    for name in ("runtime.env", "demo.env"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600


def test_a_second_one_in_the_same_folder_is_refused(installation: Installation, start: Start):
    second = start(installation.data_dir)
    assert second.wait(timeout_s=45) == 1
    reason = f"already running with this DATA_DIR (process {installation.up.pid})"
    assert second.output == [f"MCP Connector cannot run: {reason}"]


def test_a_process_that_dies_is_started_again(installation: Installation):
    killed = installation.child("config.web")
    killed.kill()
    installation.line("web ended with status -9 and is started again", timeout_s=30)
    health = eventually(lambda: fetch(f"http://127.0.0.1:{installation.port}/health"), timeout_s=60)
    assert health["status"] == "healthy"
    assert installation.child("config.web").pid != killed.pid


def eventually(ask: Callable[[], dict[str, Any]], *, timeout_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return ask()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_signal_stops_everything(installation: Installation):
    processes = installation.processes()
    assert len(processes) > 7
    installation.up.terminate()
    assert installation.wait(timeout_s=30) == 0
    assert installation.output[-1] == "Stopped."
    assert_gone(processes, timeout_s=0)
    assert set(env_file.read(installation.data_dir / "runtime.env")) == {
        "SECRET_KEY",
        "SECRET_ENCRYPTION_KEYS",
    }


@pytest.fixture(scope="module")
def second(installation: Installation, start: Start) -> Installation:
    """Starts again with the data of the first."""
    assert installation.up.poll() is not None
    return start(installation.data_dir).wait_for_curl()


def test_it_starts_again_from_its_data(second: Installation, data_dir: Path):
    demo = env_file.read(data_dir / "demo.env")
    assert demo["BASE_URL"] == f"http://127.0.0.1:{second.port}"
    assert "Asia/Shanghai" in json.dumps(follow(second.curl))
    assert demo["ADMIN_PASSWORD"] not in "\n".join(second.output)


def test_nothing_survives_it_when_it_is_killed(second: Installation):
    processes = second.processes()
    second.up.kill()
    second.wait(timeout_s=30)
    assert_gone(processes, timeout_s=45)


def test_it_starts_again_after_it_was_killed(second: Installation, start: Start):
    assert second.up.poll() is not None
    third = start(second.data_dir)
    assert "Asia/Shanghai" in json.dumps(follow(third.wait_for_curl().curl))


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path, start: Start):
    installation = start(tmp_path / "data")
    installation.line("MCP Connector is starting")
    time.sleep(0.5)
    processes = installation.processes()
    installation.up.send_signal(signal.SIGINT)
    assert installation.wait(timeout_s=30) == 0
    # One that was just started is not on the list of those to stop: the kernel ends it after the runner.
    assert_gone(processes, timeout_s=10)


def test_a_taken_port_is_refused(tmp_path: Path, start: Start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        refused = start(tmp_path / "data", PORT=taken)
        assert refused.wait(timeout_s=45) == 1
    [line] = refused.output
    assert line == f"MCP Connector cannot run: port {taken} is taken: stop what listens there, or set PORT"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR /dev/null/data cannot be used: Not a directory"),
        ({"PORT": "http"}, "PORT must be a number from 1 to 65535, not 'http'"),
        ({"HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1:"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "DATABASE_URL: "),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "REDIS_URL: "),
        ({"OPENAI_BASE_URL": "localhost:11434/v1"}, "OPENAI_BASE_URL"),
        ({"EMBEDDING_BASE_URL": "localhost:11434/v1"}, "EMBEDDING_BASE_URL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_reason_why_it_cannot_run_is_one_line(
    tmp_path: Path, start: Start, environment: dict[str, str], reason: str
):
    refused = start(tmp_path / "data", **environment)
    assert refused.wait(timeout_s=30) == 1
    [line] = refused.output
    assert line.startswith(f"MCP Connector cannot run: {reason}")
