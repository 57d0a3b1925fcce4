"""MCP servers that run as another user, where the worker may switch users."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.process import run_as
from connector.process.run_as import RunAsRefused
from tests.connector.conftest import SERVERS
from tests.connector.lifecycle.test_limits import GREEDY, confinement_of
from tests.connector.processes import OWNER_PIDS, ROOT, environment, server_processes
from tools.models import Status

SYSTEM_PYTHON = "/usr/bin/python3"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may switch users")
needs_python = pytest.mark.skipif(
    not os.access(SYSTEM_PYTHON, os.X_OK), reason="no interpreter that another user can run"
)


@pytest.fixture
def more_groups() -> Iterator[None]:
    """Puts the worker into groups that the server must not be in."""
    groups = os.getgroups()
    os.setgroups([0, 4])
    yield
    os.setgroups(groups)


@pytest.fixture
def readable_server() -> Iterator[str]:
    """A copy of the fake server that every user can read: this checkout may lie in a folder of root's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for source in ("greedy.py", "fake.py"):
            Path(shutil.copy(SERVERS / source, folder)).chmod(0o644)
        yield str(folder / "greedy.py")


@needs_root
@needs_python
@pytest.mark.usefixtures("more_groups")
async def test_a_server_runs_as_another_user(
    servers: Any, supervise: Any, caller: Any, settings: Any, readable_server: str
) -> None:
    settings.MCP_RUN_AS = "nobody"
    settings.MCP_ALLOWED_COMMANDS = [SYSTEM_PYTHON]
    supervise()
    server = await servers.running(command=SYSTEM_PYTHON, args=[readable_server])
    nobody, found = pwd.getpwnam("nobody"), await confinement_of(caller, server)
    assert found["user"] == [nobody.pw_uid] * 2
    assert set(found["groups"]) == {nobody.pw_gid}
    assert (found["home"], found["no_new_privs"]) == (nobody.pw_dir, True)


def test_a_user_that_does_not_exist_is_refused(settings: Any) -> None:
    settings.MCP_RUN_AS = "no-such-user"
    with pytest.raises(RunAsRefused, match="'no-such-user', whom this host does not know"):
        run_as.account()


def test_the_workers_own_user_needs_no_switch(settings: Any) -> None:
    settings.MCP_RUN_AS = pwd.getpwuid(os.geteuid()).pw_name
    assert run_as.account() is None


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
async def test_a_server_cannot_read_a_worker_of_its_own_user(
    servers: Any, celery_worker: Any, caller: Any
) -> None:
    """The worker is non-dumpable. Root may trace everybody, so the worker runs without that capability."""
    without = "-sys_ptrace,-sys_admin,-perfmon"
    powerless = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"]
    worker = celery_worker(by=powerless if os.geteuid() == 0 else ())
    server = await servers.register(args=GREEDY)
    await servers.wait_until(server, Status.RUNNING)
    for file in ("environ", "mem", "maps"):
        answer = await caller(server, "spy", path=f"/proc/{worker.pid}/{file}")
        assert answer.content[0]["text"] == "PermissionError"
    assert (await caller(server, "spy", path="/proc/self/environ")).content[0]["text"] == "read"


@pytest.fixture
def powerless_owner(transactional_db: None, tmp_path: Any) -> Iterator[Any]:
    """Starts a worker of root that may not switch users, as in a container without capabilities."""
    without = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    command = [*without, sys.executable, "-m", "tests.connector.owner", "mcp@powerless"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environment(), "MCP_RUN_AS": "nobody"}, cwd=ROOT, stdout=log, stderr=log
        )
    OWNER_PIDS.add(process.pid)
    yield process
    process.kill()
    process.wait()


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
async def test_a_worker_that_may_not_switch_starts_nothing(servers: Any, powerless_owner: Any) -> None:
    server = await servers.register()
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "run_as_refused"
    assert row.error_message == "MCP_RUN_AS names 'nobody', but this worker may not switch users."
    assert not server_processes()
