"""Conversations that the product stores for callers who ask for it."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from assistants.models import Conversation
from tests.stack import Stack

STORED = {"mcp_connector": {"history": "stored"}}
LOOK: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def keys(stack: Stack) -> tuple[IssuedKey, IssuedKey]:
    return stack.key("history-one"), stack.key("history-two")


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    manager = stack.key("history-manager", can_manage=True)
    headers = {"authorization": f"Bearer {manager.key}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
def model(stack: Stack, keys: tuple[IssuedKey, IssuedKey]) -> str:
    slug = f"history-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=keys)
    stack.llm.script(slug, {"text": "Noted.", "repeat": True})
    return slug


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


class Caller:
    def __init__(self, stack: Stack, key: IssuedKey, model: str, session: str) -> None:
        self._client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key.key, max_retries=0)
        self._stack, self._model, self._session = stack, model, session

    def say(self, *messages: Any, stored: bool = True, **fields: Any) -> Any:
        sent = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
        body = {"session_id": self._session, **(STORED if stored else {})}
        create: Any = self._client.chat.completions.create
        return create(model=self._model, messages=sent, extra_body=body, **fields)

    def received(self) -> list[tuple[str, Any]]:
        """What the model was given last."""
        messages = self._stack.llm.bodies(self._model)[-1]["messages"]
        return [(message["role"], message["content"]) for message in messages]


@pytest.fixture
def caller(stack: Stack, keys: tuple[IssuedKey, IssuedKey], model: str, session: str) -> Caller:
    return Caller(stack, keys[0], model, session)


def test_stored_messages_come_before_those_of_the_request(caller: Caller) -> None:
    caller.say("I am Ada.")
    list(caller.say("And I like maths.", stream=True))
    caller.say({"role": "system", "content": "Be brief."}, "Who am I?")
    assert caller.received() == [
        ("system", "Be brief."),
        ("user", "I am Ada."),
        ("assistant", "Noted."),
        ("user", "And I like maths."),
        ("assistant", "Noted."),
        ("user", "Who am I?"),
    ]


def test_nothing_stored_is_used_unless_it_is_asked_for(caller: Caller) -> None:
    caller.say("I am Ada.")
    caller.say("Who am I?", stored=False)
    assert caller.received() == [("user", "Who am I?")]
    caller.say("And now?")
    assert [content for _, content in caller.received()] == ["I am Ada.", "Noted.", "And now?"]


def test_one_key_never_sees_anothers(
    stack: Stack, keys: tuple[IssuedKey, IssuedKey], model: str, session: str, caller: Caller
) -> None:
    caller.say("I am Ada.")
    other = Caller(stack, keys[1], model, session)
    other.say("Who am I?")
    assert other.received() == [("user", "Who am I?")]


def test_the_result_of_a_callers_tool_finds_its_call(stack: Stack, caller: Caller, model: str) -> None:
    stack.llm.script(model, {"tool_calls": [{"name": "look", "arguments": {}}]}, {"text": "Blue."})
    [call] = caller.say("Look!", tools=[LOOK]).choices[0].message.tool_calls
    caller.say({"role": "tool", "tool_call_id": call.id, "content": "blue"}, tools=[LOOK])
    assert [role for role, _ in caller.received()] == ["user", "assistant", "tool"]


def test_a_result_without_a_call_is_refused(caller: Caller) -> None:
    with pytest.raises(openai.BadRequestError, match="No tool call"):
        caller.say({"role": "tool", "tool_call_id": "nobody", "content": "blue"})


def test_a_history_needs_a_session(stack: Stack, keys: tuple[IssuedKey, IssuedKey], model: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        Caller(stack, keys[0], model, "").say("Hello")
    assert refusal.value.param == "mcp_connector.history"


def test_a_long_conversation_is_cut_to_its_latest_turns(caller: Caller) -> None:
    for number in range(4):
        caller.say(f"{number} " + "word " * 9_000)
    caller.say("And now?")
    sent = [str(content)[0] for role, content in caller.received() if role == "user"]
    assert sent == ["2", "3", "A"]


def test_an_expired_conversation_is_forgotten(stack: Stack, caller: Caller, session: str) -> None:
    caller.say("I am Ada.")
    with stack.database():
        rows = Conversation.objects.filter(external_id=session)
        assert rows.update(messages_expire_at="2020-01-01T00:00:00Z") == 1
    caller.say("Who am I?")
    assert caller.received() == [("user", "Who am I?")]


def test_it_is_read_and_deleted_over_rest_and_encrypted_at_rest(
    stack: Stack, api: httpx.Client, caller: Caller, session: str
) -> None:
    caller.say("I am Ada.")
    [found] = api.get("/sessions", params={"session_id": session}).json()
    assert api.get(f"/sessions/{found['id']}/messages").json()["messages"] == [
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": "Noted."},
    ]
    with stack.database():
        [raw] = Conversation.objects.raw(
            "SELECT id, messages AS stored FROM assistants_conversation WHERE id = %s", [found["id"]]
        )
        assert "Ada" not in raw.stored
    assert api.delete(f"/sessions/{found['id']}").status_code == 204
    caller.say("Who am I?")
    assert caller.received() == [("user", "Who am I?")]
