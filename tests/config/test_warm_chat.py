"""A warm chat asks the database nothing and enters no thread: what it is made of is in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from assistants import actions as assistant_actions
from core.actor import Actor
from tests.config import asgi
from tests.connector.conftest import orm
from tests.llm import ScriptedLLM

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
MODEL = "warm"
WRITTEN_WITHIN_S = 0.8
"""What the chat before has left to write is written by then."""


@pytest.fixture
async def key() -> IssuedKey:
    key: IssuedKey = await orm(key_actions.issue)(by=BY, name="caller")
    await orm(assistant_actions.create)(by=BY, name=MODEL, slug=MODEL, model=MODEL, api_keys=[key.api_key])
    return key


@pytest.fixture
async def running(key: IssuedKey, llm: ScriptedLLM, settings: LazySettings) -> AsyncIterator[None]:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = llm.base_url, "none"
    async with asgi.running():
        yield


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yields the queries and the entries into threads, as they come."""
    seen: list[str] = []

    def noting(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def note(*args: Any, **kwargs: Any) -> Any:
            seen.append(f"{name}: {args[1:3]}")
            return original(*args, **kwargs)

        patched.setattr(owner, name, note)

    with monkeypatch.context() as patched:
        noting(type(asyncio.get_running_loop()), "run_in_executor")
        noting(psycopg.Cursor, "execute")
        noting(psycopg.AsyncCursor, "execute")
        yield seen


async def chat(key: IssuedKey, *, stream: bool) -> bytes:
    said = [{"role": "user", "content": "Hello"}]
    answer = await asgi.request(
        key, "POST", "/v1/chat/completions", model=MODEL, messages=said, stream=stream
    )
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("stream", [False, True])
async def test_it_asks_the_database_nothing_and_enters_no_thread(
    key: IssuedKey, llm: ScriptedLLM, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    llm.script(MODEL, {"text": "First."}, {"text": "Second."})
    with counted(monkeypatch) as cold:
        assert b"First." in await chat(key, stream=stream)
    assert cold, "what is counted is not what a cold chat does"
    await asyncio.sleep(WRITTEN_WITHIN_S)
    with counted(monkeypatch) as warm:
        assert b"Second." in await chat(key, stream=stream)
    assert [each for each in warm if "SELECT 1" not in each] == []  # the heartbeat of the change feed
