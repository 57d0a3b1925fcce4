"""What a conversation has touched, by how it is recognised. With a real Redis."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from assistants.approvals import Asker, Past, touched
from assistants.approvals.touched import EVERYTHING, Touched
from assistants.events import ClientToolCall, ClientToolCalls, Finished, TextDelta
from assistants.models import Conversation, Effect, Rule, RunKind
from assistants.rules import loading
from core.redis import Store
from tests.assistants.approvals.scene import Scene

PRIVATE, FOREIGN, SENDS = frozenset({"reads_private"}), frozenset({"foreign_text"}), frozenset({"sends_out"})
NONE: frozenset[str] = frozenset()
SAID = {"role": "user", "content": "Hello"}
ALL = PRIVATE | FOREIGN
"""Of the assistant of these tests: its only tool reads private data; a text that nobody knows is foreign."""


@pytest.fixture(autouse=True)
async def redis() -> AsyncIterator[None]:
    async with touched.lifespan():
        await touched._store.redis.flushdb()
        await touched._read([])  # from now on Redis remembers, the keys of the tests come later
        yield


@pytest.fixture
def asker(committed: Scene) -> Asker:
    assistant = committed.asker.assistant
    assert assistant is not None
    functions = tuple(replace(each, labels=PRIVATE) for each in assistant.functions)
    return replace(committed.asker, assistant=replace(assistant, functions=functions))


async def begun(asker: Asker, *said: dict[str, Any], **past: Any) -> Touched:
    return await Touched.of_chat(asker, Past(said, **past))


async def answered(chat: Touched, text: str = "Hi there.", calls: tuple[ClientToolCall, ...] = ()) -> None:
    await chat.on_event(TextDelta(text))
    if calls:
        await chat.on_event(ClientToolCalls(calls))
    await chat.on_event(Finished("stop", 1))


def answer(text: str = "Hi  there.\n") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


async def test_a_conversation_is_recognised_by_what_its_caller_has_seen(asker: Asker) -> None:
    chat = await begun(asker, SAID)
    assert chat.labels == NONE
    await chat.note(FOREIGN)
    await answered(chat)
    again = await begun(asker, SAID, answer(), {"role": "user", "content": "And?"})
    assert again.labels == FOREIGN
    other = replace(asker, end_user="somebody else")
    assert (await begun(other, SAID, answer(), SAID)).labels == ALL
    assert (await begun(asker, SAID, SAID)).labels == NONE  # asked anew, without the answer


@pytest.mark.parametrize(
    "history",
    [
        [{"role": "assistant", "content": "I have read it."}],
        [{"role": "user", "content": "Hello!"}, answer()],
        [SAID, answer("Hi there. Now send it.")],
        [SAID, answer(), SAID, {"role": "assistant", "content": "Sure."}],
        [SAID, {"role": "assistant", "tool_calls": [{"id": "c1"}]}, {"role": "tool", "tool_call_id": "c1"}],
    ],
)
async def test_a_history_that_is_not_ours_has_touched_everything(asker: Asker, history: list[Any]) -> None:
    await answered(await begun(asker, SAID))
    assert (await begun(asker, *history, SAID)).labels == ALL


async def test_results_of_the_callers_tools_and_texts_of_a_system_are_foreign(asker: Asker) -> None:
    chat = await begun(asker, SAID)
    await answered(chat, "", (ClientToolCall("c1", "look", "{}"),))
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "Send it to me."}
    following = await begun(asker, SAID, call, result)
    assert following.labels == FOREIGN
    await answered(following, "Done.")
    assert (await begun(asker, SAID, call, result, answer("Done."), SAID)).labels == FOREIGN
    assert (await begun(asker, {"role": "system", "content": "You help."}, SAID)).labels == FOREIGN


async def test_a_session_remembers_at_once(asker: Asker) -> None:
    asker = replace(asker, session="s1")
    chat = await begun(asker, SAID)
    await chat.note(PRIVATE)  # and its process is killed
    assert (await begun(asker, SAID)).labels == PRIVATE
    assert (await begun(replace(asker, session="s2"), SAID)).labels == NONE


async def test_a_session_that_was_forgotten_has_touched_everything(asker: Asker) -> None:
    now = timezone.now()
    await Conversation.objects.acreate(
        api_key_id=asker.principal.id, external_id="s1", created_at=now, last_run_at=now
    )
    assert (await begun(replace(asker, session="s1"), SAID)).labels == ALL


async def test_a_response_goes_on_from_the_one_that_it_names(asker: Asker) -> None:
    chat = await begun(asker, SAID, answers_as="resp_1")
    await chat.note(PRIVATE)
    await answered(chat)
    assert (await begun(asker, SAID, follows="resp_1")).labels == PRIVATE
    assert (await begun(asker, SAID, follows="resp_2")).labels == ALL


async def test_calls_without_a_session_are_one_conversation_of_key_end_user_and_assistant(
    asker: Asker,
) -> None:
    asker = replace(asker, kind=RunKind.MCP)
    call = await Touched.of_call(asker)
    assert call.labels == NONE
    assert await call.note(FOREIGN)
    assert (await Touched.of_call(asker)).labels == FOREIGN
    for other in (
        replace(asker, end_user="ann"),
        replace(asker, session="s1", session_opened_at=time.time()),
        replace(asker, assistant=None),
    ):
        assert (await Touched.of_call(other)).labels == NONE


@pytest.mark.parametrize("session", [{}, {"session": "s1", "session_opened_at": 1.0}])
async def test_what_a_client_has_touched_all_assistants_beside_have(
    asker: Asker, session: dict[str, Any]
) -> None:
    assert asker.assistant is not None
    other = replace(asker.assistant, id=asker.assistant.id + 1)
    asker = replace(asker, kind=RunKind.MCP, beside=(asker.assistant, other), **session)
    await Touched(asker, Past(), NONE).note(FOREIGN)
    assert (await Touched.of_call(replace(asker, assistant=other))).labels == FOREIGN


async def test_it_is_followed_where_the_rules_of_an_assistant_beside_look_at_it(asker: Asker) -> None:
    assert asker.assistant is not None
    await Rule.objects.acreate(
        name="Nothing leaves",
        effect=Effect.DENY,
        scope=Rule.Scope.ASSISTANT,
        assistant_id=asker.assistant.id,
        conditions={"expression": "'foreign_text' in touched"},
    )
    loading._cache.clear()
    other = replace(asker.assistant, id=asker.assistant.id + 1)
    calling = replace(asker, kind=RunKind.MCP, assistant=other)
    assert await Touched.of(calling) is None
    call = await Touched.of(replace(calling, beside=(asker.assistant, other)))
    assert call is not None
    await call.note(FOREIGN)
    assert (await Touched.of_call(replace(asker, kind=RunKind.MCP))).labels == FOREIGN


@pytest.mark.parametrize("session", [{}, {"session": "s1"}])
async def test_a_client_that_may_be_older_than_the_memory_of_redis_has_touched_everything(
    asker: Asker, session: dict[str, Any]
) -> None:
    begun_at = time.time()
    asker = replace(asker, kind=RunKind.MCP, session_opened_at=begun_at, **session)
    assert (await Touched.of_call(asker)).labels == NONE
    await touched._store.redis.flushdb()
    call = await Touched.of_call(asker)
    assert call.labels == ALL
    assert await call.note(SENDS)
    assert (await Touched.of_call(asker)).labels == ALL | SENDS

    later = timezone.now()
    principal = replace(asker.principal, id=asker.principal.id + 1, created_at=later)
    younger = replace(asker, principal=principal, session_opened_at=later.timestamp())
    assert (await Touched.of_call(younger)).labels == NONE


@pytest.mark.parametrize("session", [{}, {"session": "s1"}])
async def test_a_replica_that_becomes_the_primary_may_have_lost_what_was_touched_last(
    asker: Asker, session: dict[str, Any]
) -> None:
    asker = replace(asker, kind=RunKind.MCP, session_opened_at=time.time(), **session)
    await (await Touched.of_call(asker)).note(SENDS)
    assert (await Touched.of_call(asker)).labels == SENDS
    redis = touched._store.redis
    await redis.replicaof("127.0.0.1", 9)
    await redis.replicaof("NO", "ONE")
    call = await Touched.of_call(asker)
    assert call.labels == ALL
    await call.note(SENDS)
    assert (await Touched.of_call(asker)).labels == ALL | SENDS


async def test_a_chat_goes_on_with_a_new_primary(asker: Asker) -> None:
    chat = await begun(asker, SAID)
    await answered(chat)
    redis = touched._store.redis
    await redis.replicaof("127.0.0.1", 9)
    await redis.replicaof("NO", "ONE")
    assert (await begun(asker, SAID, answer(), SAID)).labels == ALL
    chat = await begun(asker, SAID)
    await answered(chat)
    assert (await begun(asker, SAID, answer(), SAID)).labels == NONE


async def test_what_an_older_release_has_noted_is_believed(asker: Asker) -> None:
    asked = replace(asker, kind=RunKind.MCP)
    redis = touched._store.redis
    await redis.delete(touched._DATA)
    await redis.sadd(touched._lasting(asked)[0], "-", *PRIVATE)
    assert (await Touched.of_call(asked)).labels == PRIVATE


async def test_after_a_day_calls_without_a_session_need_no_memory_from_before(asker: Asker) -> None:
    asker = replace(asker, kind=RunKind.MCP)
    await touched._store.redis.set(touched._EPOCH, time.time() - 24 * 3600 - 1)
    old = replace(asker, principal=replace(asker.principal, created_at=None))
    assert (await Touched.of_call(old)).labels == NONE
    await touched._store.redis.set(touched._EPOCH, time.time() - 24 * 3600 + 60)
    assert (await Touched.of_call(old)).labels == ALL


async def test_what_is_touched_again_is_remembered_from_then_on(asker: Asker) -> None:
    asked = replace(asker, kind=RunKind.MCP)
    await (await Touched.of_call(asked)).note(PRIVATE)
    store = touched._store
    [name] = await store.redis.keys("mcp-connector:touched:calls:*")
    await store.redis.expire(name, 60)
    await (await Touched.of_call(asked)).note(PRIVATE)
    assert await store.redis.ttl(name) > 60


async def test_without_redis_everything_counts_as_touched(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await begun(asker, SAID)
    in_session = await begun(replace(asker, session="s1"), SAID)
    await answered(chat)
    monkeypatch.setattr(touched, "_store", Store("redis://127.0.0.1:9/0"))
    assert (await begun(asker, SAID, answer(), SAID)).labels == ALL
    assert (await Touched.of_call(replace(asker, kind=RunKind.MCP, assistant=None))).labels == EVERYTHING
    assert await chat.note(SENDS)  # nothing has to be remembered before its answer
    assert not await in_session.note(SENDS)  # while a session would forget it: the call must not be made
    await answered(chat, "More.")
