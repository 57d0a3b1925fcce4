"""How long starts take: of a web process, of `make up` with data that are there, of a killed worker."""

import shlex
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.web import start_program
from config.runner.network import free_port
from tests.chaos.world import World
from tests.config.installation import Installation

ROUNDS = 3


def measure(world: World) -> Iterator[Figure]:
    """Yields seconds on the clock, which a busy machine makes longer, and seconds of the processor."""
    yield from _web(world)
    with tempfile.TemporaryDirectory() as folder:
        yield from _make_up(Path(folder, "data"))


def _web(world: World) -> Iterator[Figure]:
    took, used = [], []
    for number in range(ROUNDS):
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "config.web", "--log-level", "warning", "--port", str(port)]
        began = time.monotonic()
        start_program(world, f"web{number}", command, is_ready=partial(_is_healthy, url))
        took.append(time.monotonic() - began)
        times = psutil.Process(world.helpers[-1].pid).cpu_times()
        used.append(times.user + times.system)
    yield Figure("a web process is started, it answers", took, "s", 3.0)
    yield Figure("the same, of the processor", used, "s")


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=3):  # noqa: S310 - our own
            return True
    except OSError:
        return False


def _make_up(data_dir: Path) -> Iterator[Figure]:
    _stop(Installation(data_dir).wait_for_curl())
    took, replaced = [], []
    for _ in range(ROUNDS):
        began = time.monotonic()
        installation = Installation(data_dir).wait_for_curl()
        took.append(time.monotonic() - began)
        try:
            replaced.append(_seconds_until_served_again(installation))
        finally:
            _stop(installation)
    yield Figure("`make up` a second time, until the curl line", took, "s", 6.0)
    yield Figure("its MCP worker is killed, a chat gets the result of a tool", replaced, "s", 3.0)


def _seconds_until_served_again(installation: Installation) -> float:
    assert _tells_the_time(installation)  # noqa: S101
    installation.child("-Q mcp").kill()
    killed = time.monotonic()
    while not _tells_the_time(installation):
        time.sleep(0.02)
    return time.monotonic() - killed


def _tells_the_time(installation: Installation) -> bool:
    _, url, _, key, _, kind, _, body = shlex.split(installation.curl)
    headers = dict(header.split(": ", 1) for header in (key, kind))
    request = urllib.request.Request(url, body.encode(), headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return b"Asia/Shanghai" in answer.read()


def _stop(installation: Installation) -> None:
    installation.up.terminate()
    installation.wait(timeout_s=30)
