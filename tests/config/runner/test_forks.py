"""Children of the runner that are forks of it. A process of its own runs them: a fork needs one thread."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.stack import wait_for

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PARENT = """
import fcntl, json, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from config.runner.processes import Program, Running
os.environ["SET_BY_THE_RUNNER"] = "yes"
import colorsys as imported
held = open(sys.argv[1] + "/lock", "w")
fcntl.flock(held, fcntl.LOCK_EX)
def run(module, *arguments):
    program = Program(module, [sys.executable, "-m", module, *arguments], is_forked=True)
    return Running(program, Path(sys.argv[1], module + ".log"))
"""
CHILD = """
import os, subprocess, sys, time
print("imported" if "colorsys" in sys.modules else "not imported", sys.argv[1:], os.getsid(0) == os.getpid())
subprocess.run(["printenv", "SET_BY_THE_RUNNER", "PATH"])
if sys.argv[1] == "fails": sys.exit("no such thing")
if sys.argv[1] == "breaks": raise ValueError("broken")
if sys.argv[1] == "lives": time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Any:
    """Returns a function that starts a parent that runs `code`."""
    (tmp_path / "child.py").write_text(CHILD)
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PARENT + code, str(tmp_path)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()
        each.stdout.close()


def log(tmp_path: Path) -> list[str]:
    return (tmp_path / "child.log").read_text().splitlines()


def test_it_runs_a_module_with_what_its_parent_has_imported(parent: Any, tmp_path: Path) -> None:
    output, _ = parent("running = run('child', 'a', 'b'); print(running.popen.wait(20))").communicate()
    assert output == "0\n"
    assert log(tmp_path)[0] == "imported ['a', 'b'] True"


def test_its_own_children_get_the_environment(parent: Any, tmp_path: Path) -> None:
    parent("run('child', 'a').popen.wait(20)").communicate()
    assert log(tmp_path)[1:] == ["yes", os.environ["PATH"]]


@pytest.mark.parametrize(("how", "words"), [("fails", "no such thing"), ("breaks", "ValueError: broken")])
def test_its_failure_is_its_status_and_last_words(parent: Any, how: str, words: str) -> None:
    code = f"child = run('child', '{how}'); status = child.popen.wait(20)\n"
    output, _ = parent(code + "print(json.dumps([status, child.last_output()]))").communicate()
    assert json.loads(output) == [1, words]


def test_its_command_line_is_its_own(parent: Any) -> None:
    running = parent("print(run('child', 'lives', '--an-option').popen.pid, flush=True); time.sleep(60)")
    child = psutil.Process(int(running.stdout.readline()))
    shown = f"{sys.executable} -m child lives --an-option"
    wait_for(lambda: " ".join(child.cmdline()).strip() == shown, within_s=10)


def test_it_ends_with_its_parent_and_holds_no_lock_of_it(parent: Any, tmp_path: Path) -> None:
    running = parent("print(run('child', 'lives').popen.pid, flush=True); time.sleep(60)")
    child = psutil.Process(int(running.stdout.readline()))
    wait_for(lambda: "imported" in (tmp_path / "child.log").read_text(), within_s=10)
    assert [file for file in child.open_files() if file.path.endswith("lock")] == []
    running.kill()
    child.wait(timeout=20)


def test_it_ends_at_once_when_it_is_stopped(parent: Any) -> None:
    code = "child = run('child', 'lives'); time.sleep(0.5); child.stop(timeout_s=20)\n"
    assert parent(code + "print(child.popen.returncode)").communicate()[0] == "0\n"


def test_one_that_can_print_nothing_does_not_go_on_as_its_parent(parent: Any, tmp_path: Path) -> None:
    code = """
from config.runner.forks import Fork
reading, writing = os.pipe()
os.close(reading)
began, folder = os.getpid(), sys.argv[1]
try:
    print(Fork([sys.executable, "-m", "child", "a"], writing, signal.SIGTERM).wait(20))
finally:
    Path(folder, f"parent.{os.getpid() == began}").touch()
"""
    assert parent(code).communicate()[0] == "1\n"
    assert [each.name for each in tmp_path.glob("parent.*")] == ["parent.True"]
