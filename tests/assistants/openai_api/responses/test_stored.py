"""Stored responses: read, listed, deleted, and continued. A key sees its own only."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from apikeys.models import TokenUsage
from assistants import actions
from assistants.models import Conversation, StoredResponse
from tests.assistants.openai_api.conftest import error_of
from tests.assistants.openai_api.responses.conftest import ECHO
from tests.llm import ScriptedLLM
from tests.stack import BY, Stack, wait_for

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501


@pytest.fixture
def stranger(stack: Stack) -> Iterator[openai.OpenAI]:
    key = stack.key(f"stranger-{uuid.uuid4().hex[:8]}")
    with openai.OpenAI(api_key=key.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as client:
        yield client


def received(llm: ScriptedLLM, model: str) -> list[Any]:
    """Returns the roles and contents that the model was given last."""
    return [(message["role"], message["content"]) for message in llm.bodies(model)[-1]["messages"]]


def test_it_can_be_read_again(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello")
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()


def test_an_unstored_response_is_not_found(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_stored_responses_are_encrypted(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "a secret answer"})
    response = client.responses.create(model=model, input="a secret question")
    with stack.database():
        row = StoredResponse.objects.filter(response_id=response.id).extra(select={"raw": "input || body"})[0]
    assert "secret" not in row.raw  # type: ignore[attr-defined]


def test_a_deleted_response_is_not_found(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello")
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.delete(response.id)
    assert refused.value.code == "response_not_found"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=model, input="More", previous_response_id=response.id)


def test_another_key_sees_nothing(
    client: openai.OpenAI, stranger: openai.OpenAI, llm: ScriptedLLM, model: str, stack: Stack
) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello", conversation="shared-name")
    for request in (
        lambda: stranger.responses.retrieve(response.id),
        lambda: stranger.responses.delete(response.id),
        lambda: stranger.responses.cancel(response.id),
        lambda: stranger.responses.input_items.list(response.id),
    ):
        with pytest.raises(openai.NotFoundError):
            request()
    assert client.responses.retrieve(response.id).id == response.id


def test_another_key_cannot_continue_it(
    stack: Stack, client: openai.OpenAI, key: IssuedKey, llm: ScriptedLLM
) -> None:
    other = stack.key(f"other-{uuid.uuid4().hex[:8]}")
    slug = f"shared-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, keys=(key, other))
    llm.script(slug, {"text": "Mine."}, {"text": "Fresh."})
    mine = client.responses.create(model=slug, input="my secret", conversation="one-name")
    theirs = client.with_options(api_key=other.key)
    with pytest.raises(openai.BadRequestError) as refused:
        theirs.responses.create(model=slug, input="More", previous_response_id=mine.id)
    assert refused.value.code == "previous_response_not_found"
    reference: Any = {"type": "item_reference", "id": mine.output[0].id}
    with pytest.raises(openai.BadRequestError):
        theirs.responses.create(model=slug, input=[reference])
    theirs.responses.create(model=slug, input="More", conversation="one-name")
    assert received(llm, slug) == [("user", "More")]


def test_a_response_continues_an_earlier_one(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(
        equipped, {"text": "Wait.", "tool_calls": [ECHO]}, {"text": "Hi."}, {"text": "B."}, {"text": "C."}
    )
    first = client.responses.create(model=equipped, input="One", instructions="Only now.")
    second = client.responses.create(model=equipped, input="Two", previous_response_id=first.id)
    third = client.responses.create(model=equipped, input="Three", previous_response_id=second.id)
    assert third.previous_response_id == second.id
    roles = [role for role, _ in received(llm, equipped)]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant", "user"]
    assert [text for role, text in received(llm, equipped) if role == "user"] == ["One", "Two", "Three"]
    assert [item.type for item in second.output] == ["message"]  # its tools were listed before


def test_a_chain_with_a_missing_link_is_refused(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello.", "repeat": True})
    first = client.responses.create(model=model, input="One")
    second = client.responses.create(model=model, input="Two", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="Three", previous_response_id=second.id)
    assert refused.value.code == "previous_response_not_found"


def test_a_conversation_remembers(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello Ada."}, {"text": "Ada."})
    name = f"conv_{uuid.uuid4().hex}"
    first = client.responses.create(model=model, input="I am Ada.", conversation=name)
    assert first.conversation
    assert first.conversation.id == name
    client.responses.create(model=model, input="Who am I?", conversation={"id": name})
    assert received(llm, model) == [("user", "I am Ada."), ("assistant", "Hello Ada."), ("user", "Who am I?")]


def test_an_item_can_be_referred_to(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."}, {"text": "Yes."})
    first = client.responses.create(model=model, input="Hello")
    items: Any = [
        {"role": "user", "content": "Hello"},
        {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": "Really?"},
    ]
    client.responses.create(model=model, input=items)
    assert received(llm, model) == [("user", "Hello"), ("assistant", "Hello."), ("user", "Really?")]


def test_the_callers_own_history_of_items(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    """Some callers keep the conversation themselves: with store=False, output goes back into input."""
    llm.script(equipped, {"tool_calls": [ECHO]}, {"text": "Hi."}, {"text": "Again."})
    history: list[Any] = [{"role": "user", "content": "Say hi"}]
    first = client.responses.create(model=equipped, input=history, store=False)
    history += [item.to_dict() for item in first.output] + [{"role": "user", "content": "Again"}]
    second = client.responses.create(model=equipped, input=history, store=False)
    assert second.output_text == "Again."
    assert [role for role, _ in received(llm, equipped)] == ["user", "assistant", "tool", "assistant", "user"]
    assert [item.type for item in second.output] == ["message"]


def test_images_reach_the_model(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "A pixel."})
    content: Any = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
    ]
    client.responses.create(model=model, input=[{"role": "user", "content": content}])
    ((_, parts),) = received(llm, model)
    assert [part["type"] for part in parts] == ["text", "image_url"]
    assert parts[1]["image_url"]["url"] == PIXEL


def test_input_items_are_listed_in_pages(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    items: Any = [{"role": "user", "content": f"number {number}"} for number in range(5)]
    response = client.responses.create(model=model, input=items)
    listed = client.responses.input_items.list(response.id, limit=2, order="asc")
    assert [item.content[0].text for item in listed.data] == ["number 0", "number 1"]  # type: ignore[union-attr,index]
    assert listed.has_more
    everything = list(client.responses.input_items.list(response.id, limit=2))
    assert [item.content[0].text for item in everything] == [  # type: ignore[union-attr,index]
        f"number {number}" for number in reversed(range(5))
    ]


def test_an_expired_response_is_not_found_and_then_deleted(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello")
    with stack.database():
        row = StoredResponse.objects.get(response_id=response.id)
        assert row.expires_at - timezone.now() > timedelta(days=29)
        StoredResponse.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with stack.database():
        actions.delete_expired()
        assert not StoredResponse.objects.filter(pk=row.pk).exists()


def test_deleting_a_session_deletes_its_responses(
    stack: Stack, client: openai.OpenAI, key: IssuedKey, llm: ScriptedLLM, model: str
) -> None:
    """Whether the session was named as a conversation or in a header."""
    llm.script(model, {"text": "Hello.", "repeat": True})
    name = f"session-{uuid.uuid4().hex}"
    ids = {
        client.responses.create(model=model, input="Hello", conversation=name).id,
        client.responses.create(model=model, input="Hello", extra_headers={"X-Session-Id": name}).id,
    }
    with stack.database():
        sessions = Conversation.objects.filter(external_id=name, runs__status="completed")
        wait_for(lambda: sessions.count() == 2, within_s=30)
        assert StoredResponse.objects.filter(response_id__in=ids).count() == 2
        actions.delete_conversation(sessions[0], by=BY)
        assert not StoredResponse.objects.filter(response_id__in=ids).exists()


def test_deleting_a_key_deletes_its_responses(stack: Stack, client: openai.OpenAI, llm: ScriptedLLM) -> None:
    key = stack.key(f"leaving-{uuid.uuid4().hex[:8]}")
    slug = f"leaving-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(key,))
    llm.script(slug, {"text": "Hello."})
    response = client.with_options(api_key=key.key).responses.create(model=slug, input="Hello")
    with stack.database():
        usage = TokenUsage.objects.filter(api_key=key.api_key)
        wait_for(usage.exists, within_s=30)  # what it used is written down
        key_actions.delete(key.api_key, by=BY)
        assert not StoredResponse.objects.filter(response_id=response.id).exists()


def test_a_conversation_that_is_too_long_is_refused(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Hello.", "repeat": True})
    response = client.responses.create(model=model, input="Hello", conversation=f"long-{model}")
    with stack.database():
        row = StoredResponse.objects.get(response_id=response.id)
        row.input = [{"type": "message", "text": "x" * 40_000_000}]
        row.save()
    for fields in ({"previous_response_id": response.id}, {"conversation": f"long-{model}"}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=model, input="More", **fields)  # type: ignore[call-overload]
        assert refused.value.code == "context_length_exceeded"
    client.responses.delete(response.id)


def test_a_named_request_is_answered_once(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [ECHO]}, {"text": "Hi."})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (
        client.responses.create(model=equipped, input="Say hi", extra_headers=headers) for _ in range(2)
    )
    assert first.id == second.id
    assert len(llm.bodies(equipped)) == 2


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "limit=0", "limit=101", "limit=1.5", "order=up", "after=msg_unknown"]
)
def test_an_impossible_page_is_refused(
    http: httpx.Client, client: openai.OpenAI, llm: ScriptedLLM, model: str, query: str
) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello")
    answer = http.get(f"/v1/responses/{response.id}/input_items?{query}")
    assert (answer.status_code, error_of(answer)["param"]) == (400, query.partition("=")[0])


def test_only_a_background_response_can_be_streamed_again_or_cancelled(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Hello."})
    response = client.responses.create(model=model, input="Hello")
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(response.id)
