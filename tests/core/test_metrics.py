"""What processes count, and how it is added up."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from core import metrics
from core.metrics import files, instruments, pending
from core.metrics.instruments import Count, Duration, Level
from tests.small_disk import filled, small_disk

CALLS = Count("test_calls", "Calls.", ["of"])
SECONDS = Duration("test_seconds", "Seconds.", ["of"], (0.1, 1.0))
LEVEL = Level("test_level", "How much.", ["of"])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In forks alone something is counted: this process would keep the files of the first test."""
    monkeypatch.setattr(settings, "METRICS_DIR", str(tmp_path / "metrics"))
    return tmp_path / "metrics"


def in_fork(work: object, *args: object) -> None:
    process = multiprocessing.get_context("fork").Process(target=work, args=args)  # type: ignore[arg-type]
    process.start()
    process.join()
    assert process.exitcode == 0


def count(amount: float) -> None:
    CALLS.add("a", amount=amount)
    SECONDS.observe(0.5, "a")
    LEVEL.set(3, "a")
    assert b'test_level{of="a"} 3.0' in files.rendered()


def lines() -> list[str]:
    return [line for line in files.rendered().decode().splitlines() if line.startswith("test_")]


def test_what_ended_processes_counted_stays_and_their_files_do_not(folder: Path) -> None:
    in_fork(count, 2)
    in_fork(count, 3)
    found = lines()
    assert 'test_calls_total{of="a"} 5.0' in found
    assert 'test_seconds_bucket{le="1.0",of="a"} 2.0' in found
    assert 'test_seconds_bucket{le="0.1",of="a"} 0.0' in found
    assert not any(line.startswith("test_level") for line in found)
    assert {path.name for path in folder.glob("*.db")} == {"counter_0.db", "histogram_0.db"}
    assert lines() == found


def count_in_threads() -> None:
    prepared = files._folder

    def slowly() -> Path:
        time.sleep(0.2)
        return prepared()

    files._folder = slowly
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    with ThreadPoolExecutor(4) as pool:
        for counted in [pool.submit(CALLS.add, "a") for _ in range(4)]:
            counted.result()
    assert b'test_calls_total{of="a"} 4.0' in files.rendered()


def test_threads_may_be_the_first_to_count_at_the_same_time() -> None:
    in_fork(count_in_threads)


def observe_each_bound() -> None:
    for seconds in (0.05, 0.1, 0.1001, 1.0, 7.0):
        SECONDS.observe(seconds, "bounds")
    files.rendered()


def test_a_value_on_a_bound_belongs_below_it() -> None:
    in_fork(observe_each_bound)
    assert [line for line in lines() if "_bucket" in line or "_count" in line or "_sum" in line] == [
        'test_seconds_sum{of="bounds"} 8.2501',
        'test_seconds_bucket{le="0.1",of="bounds"} 2.0',
        'test_seconds_bucket{le="1.0",of="bounds"} 4.0',
        'test_seconds_bucket{le="+Inf",of="bounds"} 5.0',
        'test_seconds_count{of="bounds"} 5.0',
    ]


def count_and_wait() -> None:
    for _ in range(3):
        CALLS.add("a")
        SECONDS.observe(0.5, "a")
    time.sleep(3 * pending.EVERY_S)
    CALLS.add("b")  # not written when the process is killed
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_has_written_all_but_its_last_moment() -> None:
    process = multiprocessing.get_context("fork").Process(target=count_and_wait)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert {'test_calls_total{of="a"} 3.0', 'test_seconds_count{of="a"} 3.0'} <= set(lines())


def count_then_fork() -> None:
    CALLS.add("a")
    in_fork(CALLS.add, "b")  # has nothing of what its parent counted
    with pending._writing:
        in_fork(count, 1)  # nor a lock that nobody in it would release
    assert {'test_calls_total{of="a"} 2.0'} <= set(lines())


def test_a_fork_counts_for_itself() -> None:
    in_fork(count_then_fork)


def fill_files() -> None:
    count(1)
    (folder,) = {path.parent for path in Path(settings.METRICS_DIR).glob(f"counter_{os.getpid()}.db")}
    for path in folder.glob(f"*_{os.getpid()}.db"):
        assert path.stat().st_blocks * 512 >= 1024 * 1024, "the space on the disk is taken"


def test_files_take_their_space_before_they_are_written() -> None:
    in_fork(fill_files)


def test_a_folder_that_cannot_be_written_costs_the_numbers_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(settings, "METRICS_DIR", str(tmp_path / "file"))
    in_fork(CALLS.add, "a")


def test_a_process_that_gets_no_thread_any_more_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    in_fork(CALLS.add, "a")
    assert lines() == []


def test_switched_off_nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS", False)
    in_fork(CALLS.add, "a")
    assert not folder.exists()


def test_names_that_people_give_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "_names", set())
    names = [metrics.bounded(f"server-{number}") for number in range(1000)]
    assert len(set(names)) == instruments.MOST_NAMES + 1
    assert names[-1] == instruments.OTHER
    assert metrics.bounded("server-0") == "server-0"


def test_on_a_full_disk_no_space_is_taken_for_reserved(tmp_path: Path) -> None:
    """Not the second time either: a process that wrote into it would be killed."""
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        with filled(disk):
            for _ in range(2):
                with pytest.raises(OSError, match="No space left"):
                    files._reserve(disk / "counter_0.db")
        files._reserve(disk / "counter_0.db")
        assert (disk / "counter_0.db").stat().st_blocks * 512 >= files._SIZE
