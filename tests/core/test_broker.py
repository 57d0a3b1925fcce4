"""core.broker: connections are kept from one message to the next, and opened anew after a restart."""

from pathlib import Path
from typing import Any

import pytest
import redis

from config.celery import app
from core import broker
from tests.connector.processes import Broker

QUEUE = "of-this-test"


def send() -> None:
    broker.send("nobody.knows.this", queue=QUEUE)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    own = Broker(tmp_path / "broker")
    monkeypatch.setattr(app.conf, "broker_write_url", own.environment["REDIS_URL"])
    with redis.Redis.from_url(own.environment["REDIS_URL"]) as client:
        yield client, own
    own.stop()


def test_messages_share_a_connection(client: Any) -> None:
    redis_client, _ = client

    def connections() -> int:
        return int(redis_client.info("stats")["total_connections_received"])

    send()
    before = connections()
    for _ in range(5):
        send()
    assert connections() == before
    assert redis_client.llen(QUEUE) == 6


def test_after_a_restart_of_the_broker_the_next_message_arrives(client: Any) -> None:
    redis_client, own = client
    send()
    own.stop()
    with pytest.raises(broker.BROKER_ERRORS):
        send()
    own.start()
    send()
    assert redis_client.llen(QUEUE) == 1
