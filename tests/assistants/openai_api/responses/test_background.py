"""Responses that a worker gives: polled, cancelled, and none of them lost or run twice."""

import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from assistants.models import Run, StoredResponse
from tests.assistants.openai_api.responses.conftest import ECHO, LOOK
from tests.llm import ScriptedLLM
from tests.stack import BY, Stack, wait_for

SLOW = {"text": "word " * 20, "chunk_delay_s": 0.1}
ENDLESS = {"text": "word " * 600, "chunk_delay_s": 0.1}


def ended(client: openai.OpenAI, response_id: str, *, within_s: float = 40) -> Response:
    """The response, once it has ended."""
    over = {"completed", "incomplete", "failed", "cancelled"}
    wait_for(lambda: client.responses.retrieve(response_id).status in over, within_s=within_s)
    return client.responses.retrieve(response_id)


def begun(client: openai.OpenAI, llm: ScriptedLLM, model: str, **fields: Any) -> Response:
    """A background response that the model is writing."""
    response = client.responses.create(model=model, input="Hello", background=True, **fields)
    wait_for(lambda: llm.requests(model), within_s=30)
    return response


@pytest.fixture
def restarted_worker(stack: Stack) -> Iterator[None]:
    yield
    if not stack.process("default").is_alive():
        stack.start_process("default")


def test_it_is_polled(client: openai.OpenAI, llm: ScriptedLLM, equipped: str, stack: Stack) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    llm.script(equipped, {"tool_calls": [ECHO], "usage": usage}, {"text": "It said hi.", "usage": usage})
    response = client.responses.create(model=equipped, input="Say hi", background=True, metadata={"a": "b"})
    assert (response.status, response.background, response.output) == ("queued", True, [])
    done = ended(client, response.id)
    assert (done.status, done.output_text, done.metadata) == ("completed", "It said hi.", {"a": "b"})
    assert (done.created_at, done.id) == (response.created_at, response.id)
    assert [item.type for item in done.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert done.usage
    assert done.usage.total_tokens == 24
    with stack.database():
        run_id = response.id.replace("resp_", "run_")
        wait_for(lambda: Run.objects.filter(run_id=run_id, status="completed").exists(), within_s=30)


def test_a_background_response_can_be_continued(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"tool_calls": [{"name": "look", "arguments": {"at": "it"}}]}, {"text": "A tree."})
    fields: Any = {"model": model, "background": True, "tools": [LOOK]}
    first = ended(client, client.responses.create(input="Look", **fields).id)
    (call,) = first.output
    assert call.type == "function_call"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "a tree"}
    second = client.responses.create(input=[result], previous_response_id=first.id, **fields)
    assert ended(client, second.id).output_text == "A tree."


def test_an_unfinished_response_cannot_be_continued(
    client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ENDLESS)
    response = begun(client, llm, model)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="More", previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_finished"
    client.responses.cancel(response.id)


def test_a_failure_is_in_the_response(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"status": 401, "body": "secret"})
    response = client.responses.create(model=model, input="Hello", background=True)
    done = ended(client, response.id)
    assert done.status == "failed"
    assert done.error
    assert "secret" not in done.error.message


def test_an_invalid_request_is_refused_at_once(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError):
        client.responses.create(
            model=model, input="Hello", background=True, previous_response_id="resp_unknown"
        )


def test_cancelling_ends_the_run(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ENDLESS)
    response = begun(client, llm, model)
    assert client.responses.cancel(response.id).status == "cancelled"
    llm.wait_for_outcome(model, "disconnected", within_s=20)
    wait_for(lambda: client.responses.retrieve(response.id).output, within_s=20)  # what it had said
    done = client.responses.retrieve(response.id)
    assert done.status == "cancelled"
    assert done.output_text.startswith("word ")
    assert client.responses.cancel(response.id).status == "cancelled"


def test_deleting_ends_the_run(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ENDLESS)
    client.responses.delete(begun(client, llm, model).id)
    llm.wait_for_outcome(model, "disconnected", within_s=20)


def test_a_disabled_key_ends_the_run(stack: Stack, client: openai.OpenAI, llm: ScriptedLLM) -> None:
    key = stack.key(f"revoked-{uuid.uuid4().hex[:8]}")
    slug = f"revoked-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(key,))
    llm.script(slug, ENDLESS)
    response = begun(client.with_options(api_key=key.key), llm, slug)
    with stack.database():
        key_actions.update(key.api_key, by=BY, is_disabled=True)
    llm.wait_for_outcome(slug, "disconnected", within_s=20)
    with stack.database():
        row = StoredResponse.objects.filter(response_id=response.id)
        wait_for(lambda: row.get().is_over, within_s=30)


def test_it_survives_a_restart_of_the_web(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {**SLOW, "text": "word " * 150})
    response = begun(client, llm, model)
    stack.process("web").stop(timeout_s=10)
    with stack.database():
        # Before the web starts again: on a busy machine that takes longer than the answer.
        assert StoredResponse.objects.get(response_id=response.id).status == "in_progress"
    stack.start_process("web")
    stack.wait_until_ready()
    assert ended(client, response.id, within_s=40).output_text == "word " * 150
    assert len(llm.requests(model)) == 1


@pytest.mark.usefixtures("restarted_worker")
def test_one_whose_worker_is_killed_fails_and_is_not_run_again(
    stack: Stack, client: openai.OpenAI, http: httpx.Client, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {**ENDLESS, "repeat": True})
    response = begun(client, llm, model)
    os.killpg(stack.process("default").popen.pid, signal.SIGKILL)
    stack.process("default").popen.wait()
    stack.start_process("default")
    done = ended(client, response.id, within_s=40)
    assert done.status == "failed"
    assert done.error
    assert "worker" in done.error.message
    stream = http.get(f"/v1/responses/{response.id}", params={"stream": "true"}).text
    assert stream.rstrip().rpartition("event: ")[2].startswith("response.failed")
    assert len(llm.requests(model)) == 1


@pytest.mark.usefixtures("restarted_worker")
def test_one_whose_worker_is_stopped_fails_at_once(
    stack: Stack, client: openai.OpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ENDLESS)
    response = begun(client, llm, model)
    stack.process("default").stop(timeout_s=15)
    done = client.responses.retrieve(response.id)
    assert done.status == "failed"
    assert done.error
    assert "stopped" in done.error.message


@pytest.mark.usefixtures("restarted_worker")
def test_without_a_worker_it_waits_and_can_be_cancelled(
    stack: Stack, client: openai.OpenAI, http: httpx.Client, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "At last."})
    stack.process("default").stop(timeout_s=15)
    waiting, unwanted = (
        client.responses.create(model=model, input="Hello", background=True) for _ in range(2)
    )
    assert client.responses.cancel(unwanted.id).status == "cancelled"
    stream = http.get(f"/v1/responses/{unwanted.id}", params={"stream": "true"}).text
    assert stream.rstrip().rpartition("event: ")[2].startswith("response.incomplete")
    stack.start_process("default")
    assert ended(client, waiting.id, within_s=30).output_text == "At last."
    assert len(llm.requests(model)) == 1


def test_a_named_request_begins_once(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (
        client.responses.create(model=model, input="Hello", background=True, extra_headers=headers)
        for _ in range(2)
    )
    assert first.id == second.id
    assert ended(client, first.id).output_text == "Hello."
    assert len(llm.requests(model)) == 1


def test_a_key_limited_to_one_request_at_once(stack: Stack, client: openai.OpenAI, llm: ScriptedLLM) -> None:
    key: IssuedKey = stack.key(f"single-{uuid.uuid4().hex[:8]}", concurrent_requests=1)
    slug = f"single-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(key,))
    llm.script(slug, {**ENDLESS, "repeat": True})
    single = client.with_options(api_key=key.key)
    first = begun(single, llm, slug)
    second = ended(single, single.responses.create(model=slug, input="Hello", background=True).id)
    assert second.error
    assert (second.status, second.error.code) == ("failed", "rate_limit_exceeded")
    single.responses.cancel(first.id)
