"""Redis that takes no writes, since its memory is full, it is a replica or a snapshot failed: all goes on."""

import time
from uuid import uuid4

import httpx
import pytest
from django.conf import settings
from redis import Redis

from apikeys.actions import IssuedKey
from assistants.models import Run
from tests.refusing_redis import REASONS, refusing
from tests.stack import BY, Stack, wait_for
from tools import actions as tool_actions

MOST_LINES = {"web": 12, "mcp": 80, "default": 80}
"""The first loss of its broker takes a worker thirty, with a traceback of Celery's; to wait for it few."""


@pytest.fixture
def key(stack: Stack) -> IssuedKey:
    key = stack.key(f"full-redis {uuid4()}", requests_per_minute=1000, concurrent_requests=50)
    server = stack.server(f"Full Redis {key.api_key.pk}")
    stack.assistant(f"full-redis-{key.api_key.pk}", server, keys=(key,))
    return key


def chat(stack: Stack, key: IssuedKey, **headers: str) -> httpx.Response:
    said = [{"role": "user", "content": "What is the pid?"}]
    body = {"model": f"full-redis-{key.api_key.pk}", "messages": said, "tool_choice": "required"}
    headers = {"authorization": f"Bearer {key.key}", **headers}
    return httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


def runs(stack: Stack) -> int:
    with stack.database():
        return Run.objects.filter(assistant_slug__startswith="full-redis", status="completed").count()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("why", REASONS)
def test_chats_and_servers_go_on_and_workers_recover(stack: Stack, key: IssuedKey, why: str) -> None:
    before, logs = runs(stack), {name: len(stack.log(name)) for name in ("web", "mcp", "default")}
    with refusing(why):
        for _ in range(5):
            answer = chat(stack, key, **{"idempotency-key": f"{uuid4()}"})
            assert answer.status_code == 200, answer.text
            made = answer.json()["choices"][0]["message"]["mcp_connector"]["tool_calls"]
            assert [each["status"] for each in made] == ["ok"], f"{answer.text}\n{stack.log('mcp')[-5000:]}"
        wait_for(lambda: runs(stack) == before + 5, within_s=15)
        later = stack.server(f"Later {why}")
        time.sleep(15)
        assert httpx.get(f"{stack.url}/ready").json()["redis"] == "read-only"
    with Redis.from_url(settings.REDIS_URL) as redis:
        wait_for(lambda: not redis.llen("default"), within_s=30)
    with stack.database():
        tool_actions.stop(later, by=BY)
    stack.wait_for_status(later, "stopped")
    for name, at in logs.items():
        said = stack.log(name)[at:]
        assert stack.process(name).is_alive(), said
        # A worker that waits for messages notices only where that is refused, too.
        assert name != "web" or f"takes no writes, because {REASONS[why]}" in said, said[:6000]
        assert said.count("\n") < MOST_LINES[name], said[:9000]
