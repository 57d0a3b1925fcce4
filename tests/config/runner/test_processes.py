import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from config.runner.processes import Program, Running, StartFailed
from tests.config.runner.programs import IGNORES_SIGTERM, SLEEPS, python

PARENT = """
import sys, time
from pathlib import Path
from config.runner.processes import Running
from tests.config.runner.programs import SLEEPS, python
print(Running(python(SLEEPS), Path(sys.argv[1])).popen.pid, flush=True)
time.sleep(60)
"""


def test_a_program_ends_when_its_parent_is_killed(tmp_path: Path):
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=20)


def test_the_ctrl_c_of_its_parents_terminal_does_not_reach_it(tmp_path: Path):
    running = Running(python(SLEEPS), tmp_path / "log")
    assert os.getsid(running.popen.pid) == running.popen.pid != os.getsid(0)
    running.stop(timeout_s=20)


def test_it_is_stopped_by_its_signal(tmp_path: Path):
    running = Running(python(SLEEPS), tmp_path / "log")
    running.stop(timeout_s=20)
    assert running.popen.returncode == -signal.SIGTERM


def test_it_is_killed_when_it_ignores_the_signal(tmp_path: Path):
    log = tmp_path / "log"
    running = Running(python(IGNORES_SIGTERM), log)
    running.wait_until(lambda: log.read_text() == "on\n", timeout_s=20)
    running.stop(timeout_s=0.2)
    assert running.popen.returncode == -signal.SIGKILL


def test_waiting_ends_with_the_last_line_of_a_program_that_fails(tmp_path: Path):
    running = Running(
        python("print('first', flush=True); raise SystemExit('no such thing')"), tmp_path / "log"
    )
    with pytest.raises(StartFailed, match=r"^child ended: no such thing$"):
        running.wait_until(lambda: False, timeout_s=30)


def test_waiting_ends_in_time(tmp_path: Path):
    running = Running(python(SLEEPS), tmp_path / "log")
    began = time.monotonic()
    with pytest.raises(StartFailed, match="child was not ready in time"):
        running.wait_until(lambda: False, timeout_s=0.2)
    assert time.monotonic() - began < 15
    running.stop(timeout_s=20)


def test_the_output_of_an_earlier_run_does_not_count_as_its_own(tmp_path: Path):
    (tmp_path / "log").write_text("an old error\n")
    running = Running(python("raise SystemExit(3)"), tmp_path / "log")
    running.popen.wait()
    assert running.last_output() == "status 3"


def test_the_output_names_a_missing_command(tmp_path: Path):
    running = Running(Program("child", ["/nowhere/command"]), tmp_path / "log")
    running.popen.wait()
    assert running.last_output() == "/nowhere/command: No such file or directory"
