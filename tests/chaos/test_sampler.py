"""The sampler sees the overlaps and orphans that the chaos runs must not find."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from connector.process import orphans
from tests.chaos import sampler
from tests.chaos.sampler import Sampler
from tests.chaos.world import wait_for

Start = Callable[..., subprocess.Popen[bytes]]
DETACHED = "import os, sys; os.fork() or os.execvp('sleep', ['sleep', '60'])"


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start(run: str, owner: str, command: tuple[str, ...] = ("sleep", "60")) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "CHAOS_RUN": run, "MCPC_ID": f"{owner}/7.0"}
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def watching() -> Iterator[Sampler]:
    watching = Sampler(f"test-{os.getpid()}")
    watching.start()
    yield watching
    watching.kill_everything()
    watching.end()


def run_of(watching: Sampler) -> str:
    return watching._marker.decode().partition("=")[2]


def test_the_sampler_sees_two_owners_of_one_slot(watching: Sampler, start: Start) -> None:
    for _ in range(2):
        start(run_of(watching), orphans.new_owner_name())
    wait_for(lambda: watching.overlaps, within_s=5, what="an overlap")


def test_two_owners_one_after_the_other_are_no_overlap(watching: Sampler, start: Start) -> None:
    for _ in range(5):
        process = start(run_of(watching), orphans.new_owner_name())
        wait_for(watching.servers, within_s=5, what="seen")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not watching.overlaps


def test_the_sampler_sees_a_process_that_has_lost_its_owner(
    watching: Sampler, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "ORPHAN_AFTER_S", 0.5)
    start(run_of(watching), orphans.new_owner_name(), (sys.executable, "-c", DETACHED))
    wait_for(lambda: watching.orphans, within_s=5, what="an orphan")


def test_a_process_of_a_living_owner_is_no_orphan(
    watching: Sampler, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "ORPHAN_AFTER_S", 0.2)
    start(run_of(watching), orphans.new_owner_name())
    wait_for(lambda: watching.samples > 20, within_s=10, what="twenty samples")
    assert not watching.orphans
