import asyncio
import re
import time
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from config import health
from connector.models import Worker
from core.recent import Recent
from tests.refusing_redis import REASONS, refusing

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_readiness", Recent(health._check_all, health.CACHED_S))


@pytest.fixture
def worker(transactional_db: None) -> Worker:
    return Worker.objects.create(name="w", node="mcp@here", host_id="h", socket="s", seen_at=timezone.now())


async def get(path: str) -> tuple[int, dict[str, str]]:
    response = await AsyncClient().get(path)
    return response.status_code, response.json()


async def test_health_needs_no_service():
    status, body = await get("/health")
    assert (status, body["status"]) == (200, "healthy")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])).total_seconds() < 5


async def test_it_is_ready_with_all_services(worker: Worker):
    assert await get("/ready") == (200, {"status": "ok", "database": "ok", "redis": "ok", "workers": "ok"})


async def test_it_is_degraded_without_workers(transactional_db: None):
    assert await get("/ready") == (
        200,
        {"status": "degraded", "database": "ok", "redis": "ok", "workers": "down", "advice": health.ADVICE},
    )


async def test_it_is_degraded_without_redis(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "REDIS_URL", NOWHERE)
    assert await get("/ready") == (
        200,
        {"status": "degraded", "database": "ok", "redis": "down", "workers": "ok", "advice": health.ADVICE},
    )


@pytest.mark.parametrize("why", REASONS)
async def test_a_redis_that_takes_no_writes_is_told_and_logged_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: str
):
    monkeypatch.setattr(health, "_told", {})
    with refusing(why):
        for _ in range(3):
            monkeypatch.setattr(health, "_readiness", Recent(health._check_all, health.CACHED_S))
            status, body = await get("/ready")
            assert (status, body["status"], body["redis"]) == (200, "degraded", "read-only")
            assert body["advice"] == health.ADVICE
    (said,) = [each.getMessage() for each in caplog.records if each.name == health.__name__]
    assert said.startswith(f"redis takes no writes, because {REASONS[why]}. ")
    monkeypatch.setattr(health, "_readiness", Recent(health._check_all, health.CACHED_S))
    assert (await get("/ready"))[1]["redis"] == "ok"


async def test_it_is_unavailable_without_the_database(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    database = connections["default"].settings_dict
    monkeypatch.setitem(database, "OPTIONS", database["OPTIONS"] | {"host": "/nowhere"})
    assert await get("/ready") == (
        503,
        {
            "status": "unavailable",
            "database": "down",
            "redis": "ok",
            "workers": "down",
            "advice": health.ADVICE,
        },
    )


async def test_a_redis_that_does_not_answer_delays_the_answer_by_two_seconds_at_most(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(health, "TIMEOUT_S", 0.3)
    async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
        monkeypatch.setattr(
            settings, "REDIS_URL", f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        )
        began = time.monotonic()
        assert (await get("/ready"))[1]["redis"] == "down"
        assert time.monotonic() - began < 15


async def test_many_callers_share_one_round_of_checks(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    await get("/ready")
    monkeypatch.setattr(settings, "REDIS_URL", NOWHERE)
    answers = await asyncio.gather(*(get("/ready") for _ in range(20)))
    assert {body["status"] for _, body in answers} == {"ok"}


async def test_only_reading_is_allowed():
    assert (await AsyncClient().post("/health")).status_code == 405
