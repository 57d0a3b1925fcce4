"""Messages in Redis that are none: a real worker drops them, logs no content, and goes on consuming."""

import json
import pickle
from base64 import b64encode
from typing import Any

import pytest
import redis

from tests.connector.conftest import wait_for
from tests.connector.processes import NODE, Broker, Worker
from tools import actions
from tools.models import Status

CANARY = "canary-4711"
PROPERTIES = {
    "delivery_tag": "1",
    "delivery_info": {"exchange": "", "routing_key": "mcp"},
    "body_encoding": "base64",
}


def message(body: Any, *, content_type: str = "application/json", **headers: Any) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.dumps(
        {
            "body": b64encode(raw).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": headers,
            "properties": PROPERTIES,
        }
    ).encode()


CALL = {"id": "1", "task": "connector.tasks.start", "lang": "py"}
NONSENSE = {
    "text": f"nonsense {CANARY}".encode(),
    "pickle": pickle.dumps({"args": [CANARY]}),
    "a number": b"7",
    "a list": json.dumps([CANARY]).encode(),
    "an empty object": b"{}",
    "without headers": json.dumps({"body": CANARY, "properties": PROPERTIES}).encode(),
    "headers of a wrong type": json.dumps({"body": "", "headers": 7, "properties": PROPERTIES}).encode(),
    "without a delivery": json.dumps({"body": "", "headers": {}, "properties": {}}).encode(),
    "a body that is no text": json.dumps({"body": 7, "headers": {}, "properties": PROPERTIES}).encode(),
    "no task": message([[CANARY], {}, {}]),
    "an unknown task": message([[CANARY], {}, {}], id="1", task="no.such.task"),
    "a task of a wrong type": message([[CANARY], {}, {}], id="1", task=["connector.tasks.start"]),
    "without an id": message([[CANARY], {}, {}], task="connector.tasks.start"),
    "a pickled body": message(pickle.dumps(CANARY), content_type="application/x-python-serialize", **CALL),
    "a body that is no JSON": message(f"{CANARY} {{".encode(), **CALL),
    "arguments of a wrong shape": message(CANARY, **CALL),
    "an argument of a wrong type": message([[CANARY], {}, {}], **CALL),
    "too many arguments": message([[CANARY] * 3, {CANARY: 1}, {}], **CALL),
    "a time that is none": message([[CANARY], {}, {}], **CALL, eta=CANARY, expires=CANARY),
    "a callback": message([[CANARY], {}, {"callbacks": ["no.such"], "errbacks": ["no.such"]}], **CALL),
}


async def consumes(client: Any, worker: Worker, *queues: str) -> None:
    def drained() -> bool:
        assert worker.poll() is None, "the worker has ended"
        return not any(client.llen(queue) for queue in queues)

    await wait_for(drained)


@pytest.mark.parametrize("queue", ["mcp", "default", f"mcp.{NODE}"])
async def test_nonsense_in_a_queue_is_dropped(
    servers: Any, celery_worker: Any, broker: Broker, queue: str
) -> None:
    worker = celery_worker(**broker.environment)
    server = await servers.register()
    await servers.wait_until(server, Status.RUNNING, within_s=30)
    with redis.Redis.from_url(broker.environment["REDIS_URL"]) as client:
        for nonsense in NONSENSE.values():
            client.lpush(queue, nonsense)
        if queue == "default":
            worker = celery_worker(node="default@test", queues="default", **broker.environment)
        await consumes(client, worker, queue)
    await servers.act(actions.stop, server)
    await servers.wait_until(server, Status.STOPPED)
    broker.send("connector.tasks.start", server.pk)
    await servers.wait_until(server, Status.RUNNING)
    worker.terminate()
    assert worker.wait(30) == 0
    log = celery_worker.log.read_text()
    assert log.count("was dropped") >= len(NONSENSE) - 4  # some are tasks, which fail
    assert CANARY not in log
