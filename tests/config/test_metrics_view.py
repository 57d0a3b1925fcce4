"""GET /metrics: who gets it, and what is in it."""

import time
from typing import Any

import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from config import gauges, metrics_view
from config.request_metrics import endpoint_of
from core import broker, feed
from core.recent import Recent
from tests.config.asgi import Answer, ask, feed_is_live

TOKEN = "a-token-of-the-test"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_view, "_known", Recent(gauges.rendered, metrics_view.CACHED_S))


async def scrape(
    address: str = "127.0.0.1", *headers: tuple[bytes, bytes], host: str = "localhost"
) -> Answer:
    sent = [(b"host", host.encode()), *headers]
    return await ask("/metrics", client=(address, 4711), headers=sent)


def values(answer: Answer) -> dict[tuple[str, ...], float]:
    """Returns the samples by their names and labels."""
    families = text_string_to_metric_families(answer.body.decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def bearer(token: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {token}".encode()


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
async def test_on_this_machine_no_token_is_needed(address: str, host: str) -> None:
    assert (await scrape(address, host=host)).status == 200


@pytest.mark.parametrize(
    ("address", "headers", "host"),
    [
        ("192.0.2.7", (), "localhost"),
        ("", (), "localhost"),
        ("127.0.0.1", (), "rebound.example"),
        ("127.0.0.1", (), ""),
        ("127.0.0.1", ((b"x-forwarded-for", b"127.0.0.1"),), "localhost"),
        ("127.0.0.1", ((b"forwarded", b"for=127.0.0.1"),), "localhost"),
    ],
)
async def test_without_a_token_nobody_else_gets_it(address: str, headers: Any, host: str) -> None:
    answer = await scrape(address, *headers, host=host)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "METRICS_TOKEN" in answer.json["error"]["message"]


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7"])
async def test_a_token_is_needed_everywhere_once_there_is_one(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    for wrong in ((), (bearer("wrong"),), (bearer(""),), (bearer("ä"),), ((b"authorization", b"Basic x"),)):
        refused = await scrape(address, *wrong)
        assert refused.status == 401
        assert TOKEN not in refused.body.decode()
    assert (await scrape(address, bearer(TOKEN))).status == 200


async def test_switched_off_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS", False)
    assert (await scrape()).status == 404


@pytest.mark.usefixtures("transactional_db")
async def test_requests_are_counted_by_endpoint_and_status() -> None:
    before = values(await scrape())
    await ask("/v1/models")
    await ask("/v1/models/secret-name-of-a-model")
    after = values(await scrape())
    counted = "mcp_connector_requests_total", "models", "401"
    assert after[counted] - before.get(counted, 0) == 2
    count = "mcp_connector_request_duration_seconds_count", "models"
    assert after[count] - before.get(count, 0) == 2


@pytest.mark.usefixtures("transactional_db")
async def test_it_has_what_database_redis_and_feed_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "QUEUES", ("of-this-test",))
    broker.send("nobody.knows.this", queue="of-this-test")
    async with feed.listening():
        await feed_is_live()
        found = values(await scrape())
    assert found["mcp_connector_servers", "running"] == 0
    assert found["mcp_connector_workers_alive",] == 0
    assert found["mcp_connector_approvals_waiting",] == 0
    assert found["mcp_connector_queue_messages", "of-this-test"] >= 1
    assert found["mcp_connector_outbox_runs",] == 0
    assert 0 < found["mcp_connector_feed_lag_seconds",] < 1
    assert {found["mcp_connector_scrape_part_up", part] for part in ("database", "redis", "feed")} == {1}


@pytest.mark.usefixtures("transactional_db")
async def test_a_service_that_is_away_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", NOWHERE)
    monkeypatch.setattr(gauges, "WITHIN_S", 0.5)
    began = time.monotonic()
    found = values(await scrape())  # and nothing listens to the feed
    assert time.monotonic() - began < 5
    assert [found["mcp_connector_scrape_part_up", part] for part in ("redis", "feed")] == [0, 0]
    assert not any(name == "mcp_connector_queue_messages" for name, *_ in found)


@pytest.mark.usefixtures("transactional_db")
async def test_services_are_asked_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    await scrape()

    async def fail() -> bytes:
        raise AssertionError

    monkeypatch.setattr(gauges, "rendered", fail)
    assert "mcp_connector_workers_alive" in (await scrape()).body.decode()


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", "chat"),
        ("/api/v1/chat/completions", "chat"),
        ("/v1/responses/resp_1/cancel", "responses"),
        ("/v1/unknown", "other"),
        ("/v1", "other"),
        ("/api/v1/assistants/demo/tools/time__now", "tools"),
        ("/api/v1/assistants/demo", "management"),
        ("/api/schema", "management"),
        ("/mcp", "mcp"),
        ("/mcp/a/demo", "mcp"),
        ("/admin/", "console"),
        ("/health", "probes"),
        ("/metrics", "metrics"),
        ("/wp-login.php", "other"),
        ("/", "other"),
        ("*", "other"),
        ("", "other"),
    ],
)
def test_endpoints_have_names(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint
