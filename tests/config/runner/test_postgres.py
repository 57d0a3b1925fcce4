import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from config.runner import postgres
from config.runner.processes import Running, StartFailed


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Running, str]]:
    service = postgres.service(folder, durable=False)
    running = Running(service.program(), folder.parent / "log")
    try:
        running.wait_until(service.is_ready, timeout_s=30)
        yield running, service.environment["DATABASE_URL"]
    finally:
        running.stop(timeout_s=10)


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def test_it_serves_vectors_from_a_folder_that_only_its_owner_can_enter(tmp_path: Path):
    tmp_path.chmod(0o700)
    with serving(tmp_path / "a folder") as (_, url):
        ask(url, "CREATE EXTENSION vector")
        assert ask(url, "SELECT '[1,2]'::vector <-> '[1,4]'") == 2
        assert ask(url, "SHOW data_checksums") == "on"
        assert ask(url, "SHOW listen_addresses") == ""


def test_its_data_outlive_it(tmp_path: Path):
    with serving(tmp_path / "postgres") as (_, url):
        ask(url, "CREATE TABLE stored AS SELECT 42 AS answer")
    with serving(tmp_path / "postgres") as (_, url):
        assert ask(url, "SELECT answer FROM stored") == 42


def test_an_orphan_of_an_earlier_runner_is_stopped(tmp_path: Path):
    folder = tmp_path / "postgres"
    with serving(folder) as (earlier, _), serving(folder) as (_, url):
        assert earlier.popen.wait(20) == 0
        assert ask(url, "SELECT 1") == 1


def test_a_process_that_has_taken_a_dead_servers_id_does_not_stop_it(tmp_path: Path):
    folder = tmp_path / "postgres"
    with serving(folder) as (killed, _):
        family = [*psutil.Process(killed.popen.pid).children(), psutil.Process(killed.popen.pid)]
        killed.popen.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=30)
        stale = folder / "postmaster.pid"
        owner = stale.stat()
        stale.write_text(stale.read_text().replace(str(killed.popen.pid), str(os.getpid()), 1))
        os.chown(stale, owner.st_uid, owner.st_gid)
    with serving(folder) as (_, url):
        assert ask(url, "SELECT 1") == 1


def test_an_unfinished_cluster_is_created_anew(tmp_path: Path):
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    with serving(tmp_path / "postgres") as (_, url):
        assert ask(url, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path):
    with pytest.raises(StartFailed, match=r"DATA_DIR is .* bytes too long for a unix socket"):
        postgres.service(tmp_path / ("x" * 107) / "postgres").program()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")
def test_programs_that_its_user_cannot_reach_are_copied(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres, "COPIES", open_folder / "copies")
    monkeypatch.setattr(postgres, "_is_open_to_all", lambda path: False)
    with serving(tmp_path / "postgres") as (running, url):
        assert Path(f"/proc/{running.popen.pid}/exe").readlink().is_relative_to(open_folder / "copies")
        ask(url, "CREATE EXTENSION vector")
