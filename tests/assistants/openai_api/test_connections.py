"""Streams hold no database connection: more of them run at once than the pool has connections."""

import asyncio
import uuid

import openai
import pytest
from django.db import connection

from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO
from tests.llm import ScriptedLLM
from tests.stack import Stack

STREAMS = 24  # MAX_DB_CONNECTIONS is 20


@pytest.fixture
def models(stack: Stack, key: IssuedKey, llm: ScriptedLLM) -> list[str]:
    """Each has to be loaded from the database: none was called yet."""
    slugs = [f"streaming-{uuid.uuid4().hex[:12]}" for _ in range(STREAMS)]
    for slug in slugs:
        stack.assistant(slug, keys=(key,))
        llm.script(slug, {"text": "word " * 100, "chunk_delay_s": 0.1})
    return slugs


def test_streams_hold_no_database_connection(stack: Stack, key: IssuedKey, models: list[str]) -> None:
    before = _connections(stack)
    during = asyncio.run(_connections_while_streaming(stack, key, models))
    assert during - before <= 2  # the pool keeps what the loading of assistants used


async def _connections_while_streaming(stack: Stack, key: IssuedKey, models: list[str]) -> int:
    async with openai.AsyncOpenAI(api_key=key.key, base_url=f"{stack.url}/v1", max_retries=0) as client:
        streams = await asyncio.gather(
            *(client.chat.completions.create(model=model, messages=HELLO, stream=True) for model in models)
        )
        during = await asyncio.to_thread(_connections, stack)
        for stream in streams:
            await stream.close()
    return during


def _connections(stack: Stack) -> int:
    with stack.database(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
