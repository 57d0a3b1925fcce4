"""GET /metrics of a worker, whose host has no web process."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from celery import Celery
from django.conf import settings

from config import metrics_server
from config.runner.network import accepts, free_port
from tests.connector.processes import ROOT, Broker, CeleryWorkers, environment
from tests.stack import wait_for

TASK = "connector.tasks.echo"
COUNTED = f'mcp_connector_tasks_total{{outcome="success",task="{TASK}"}} '
TOKEN = "a-token-of-the-test"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.stop()


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path, broker: Broker) -> Iterator[CeleryWorkers]:
    workers = CeleryWorkers(tmp_path / "worker.log")
    yield workers
    workers.end()
    sys.stderr.write(workers.log.read_text())


@pytest.fixture
def own(tmp_path: Path, broker: Broker) -> dict[str, str]:
    """Settings of a worker that is alone on its host."""
    return {"METRICS_DIR": str(tmp_path / "metrics"), **broker.environment}


def send(broker: Broker, queue: str) -> None:
    with Celery(broker=broker.environment["REDIS_URL"], set_as_current=False) as sender:
        sender.send_task(TASK, queue=queue)


def scrape(port: int, path: str = "/metrics", **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=20)


@pytest.mark.parametrize("queue", ["mcp", "default"])
def test_a_worker_tells_what_it_has_counted(
    start_worker: CeleryWorkers, broker: Broker, own: dict[str, str], queue: str
) -> None:
    port = free_port()
    start_worker(node=f"{queue}@metrics", queues=queue, METRICS_BIND=f"127.0.0.1:{port}", **own)
    wait_for(lambda: accepts(port), within_s=60)
    send(broker, queue)
    wait_for(lambda: COUNTED in scrape(port).text, within_s=60)
    answer = scrape(port)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "mcp_connector_task_duration_seconds_bucket" in answer.text
    assert scrape(port, "/metrics?name[]=x").status_code == 200
    assert scrape(port, "/admin/").status_code == 404
    passed_on = scrape(port, **{"X-Forwarded-For": "127.0.0.1"})
    assert (passed_on.status_code, passed_on.headers["www-authenticate"]) == (401, "Bearer")
    assert "METRICS_TOKEN" in passed_on.text


def test_with_a_token_whoever_has_it_is_answered(start_worker: CeleryWorkers, own: dict[str, str]) -> None:
    port = free_port()
    start_worker(queues="default", METRICS_BIND=f"0.0.0.0:{port}", METRICS_TOKEN=TOKEN, **own)
    wait_for(lambda: accepts(port), within_s=60)
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        refused = scrape(port, **wrong)
        assert refused.status_code == 401
        assert TOKEN not in refused.text
    answer = scrape(port, authorization=f"bearer {TOKEN}", host="pod.example")
    assert answer.status_code == 200
    assert answer.headers["server"] == "mcp-connector"


def test_a_port_that_is_taken_is_named_and_the_worker_works(
    start_worker: CeleryWorkers, broker: Broker, own: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        worker = start_worker(queues="default", METRICS_BIND=bind, **own)
        send(broker, "default")
        with redis.Redis.from_url(broker.environment["REDIS_URL"]) as client:
            wait_for(lambda: not client.llen("default"), within_s=60)
        assert worker.poll() is None
    said = [line for line in start_worker.log.read_text().splitlines() if "METRICS_BIND" in line]
    assert len(said) == 1
    assert f"METRICS_BIND={bind} cannot be used (Address already in use)" in said[0]
    assert "Traceback" not in start_worker.log.read_text()


def test_beat_answers_too(
    broker: Broker, own: dict[str, str], tmp_path: Path, transactional_db: None
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "celery", "-A", "config", "beat", "--pidfile", ""]
    beat = subprocess.Popen(
        [*command, "--schedule", str(tmp_path / "schedule")],
        cwd=ROOT,
        env={**environment(), **own, "METRICS_BIND": f"127.0.0.1:{port}"},
    )
    try:
        wait_for(lambda: accepts(port), within_s=60)
        assert scrape(port).status_code == 200
    finally:
        beat.kill()
        beat.wait()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[metrics_server._Server]:
    monkeypatch.setattr(settings, "METRICS_DIR", str(tmp_path / "metrics"))
    with metrics_server._Server("127.0.0.1:0") as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_caller_that_says_nothing_holds_up_nobody_for_long(
    server: metrics_server._Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics_server, "WITHIN_S", 0.2)
    port = server.server_address[1]
    with socket.create_connection(("127.0.0.1", port)) as silent:
        assert (await asyncio.to_thread(scrape, port)).status_code == 200
        assert silent.recv(1) == b""
    assert caplog.records == []


def test_a_folder_that_cannot_be_read_is_told(
    server: metrics_server._Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(settings, "METRICS_DIR", str(tmp_path / "file"))
    answer = scrape(server.server_address[1])
    assert (answer.status_code, "METRICS_DIR" in answer.text) == (503, True)


@pytest.mark.parametrize("bind", ["9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http"])
def test_a_setting_that_is_no_address_is_refused(bind: str) -> None:
    command = [sys.executable, "-c", "from config.environment import load_settings; load_settings()"]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "METRICS_BIND": bind},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "METRICS_BIND must be an address and a port" in ended.stderr
