"""What is left of a run that ended early: on the record, in the store, and on its key's account."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.db import connection

from apikeys.models import TokenUsage
from assistants.models import Run, RunStatus, StoredResponse
from tests.assistants.openai_api.conftest import HELLO, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for
from tools.models import MCPTool

SLOW = {"text": "word " * 100, "chunk_delay_s": 0.1}
BEGUN = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]}\n\n'
BROKEN = {"sse": [BEGUN, 'data: {"error":{"message":"secret"}}\n\n']}
ENDPOINTS = ["chat/completions", "responses"]


class Caller:
    """A key with an assistant of its own: its only run and its tokens are those of the test."""

    def __init__(self, stack: Stack, *servers: MCPTool) -> None:
        self.model = f"outcome-{uuid.uuid4().hex[:12]}"
        self._stack = stack
        self._key = stack.key(self.model)
        stack.assistant(self.model, *servers, keys=(self._key,), store_bodies=True)
        headers = {"authorization": f"Bearer {self._key.key}"}
        self.http = httpx.Client(base_url=f"{stack.url}/v1/", headers=headers, timeout=20)

    def send(self, endpoint: str, **fields: Any) -> httpx.Response:
        return self.http.post(endpoint, json=self._body(endpoint, **fields))

    def leave(self, endpoint: str, *, stream: bool) -> None:
        """Asks, and closes the connection in the middle of the answer."""
        body = self._body(endpoint, stream=stream)
        if not stream:
            with pytest.raises(httpx.ReadTimeout):
                self.http.post(endpoint, json=body, timeout=3)
            return
        with self.http.stream("POST", endpoint, json=body) as answer:
            assert any("word" in line for line in answer.iter_lines())

    def ended_run(self) -> Run:
        with self._stack.database():
            ended = Run.objects.filter(assistant_slug=self.model).exclude(status=RunStatus.RUNNING)
            wait_for(ended.exists, within_s=30)
            return ended.get()

    def counted_tokens(self) -> int:
        with self._stack.database():
            usage = TokenUsage.objects.filter(api_key=self._key.api_key)
            wait_for(usage.exists, within_s=30)
            return usage.get().tokens

    def stored_responses(self) -> list[str]:
        with self._stack.database():
            rows = StoredResponse.objects.filter(api_key=self._key.api_key)
            return list(rows.values_list("status", flat=True))

    def _body(self, endpoint: str, **fields: Any) -> dict[str, Any]:
        said = {"input": "Hello"} if endpoint == "responses" else {"messages": HELLO}
        return {"model": self.model, **said, **fields}


@pytest.fixture
def caller(stack: Stack) -> Iterator[Caller]:
    caller = Caller(stack)
    with caller.http:
        yield caller


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_pays_for_what_was_said_and_nothing_is_stored(
    caller: Caller, llm: ScriptedLLM, endpoint: str, *, stream: bool
) -> None:
    llm.script(caller.model, SLOW)
    caller.leave(endpoint, stream=stream)
    llm.wait_for_outcome(caller.model, "disconnected", within_s=8)
    run = caller.ended_run()
    assert (run.status, run.error) == (RunStatus.CANCELLED, "")
    assert (run.answer or "").startswith("word")
    assert caller.counted_tokens() == run.total_tokens > 0
    assert caller.stored_responses() == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_fails_after_its_first_text_is_recorded_with_it(
    caller: Caller, llm: ScriptedLLM, endpoint: str, *, stream: bool
) -> None:
    llm.script(caller.model, BROKEN)
    answer = caller.send(endpoint, stream=stream)
    assert answer.status_code == (200 if stream else 502)
    assert "upstream_error" in answer.text
    assert not {"secret", "[DONE]"} & set(answer.text.split())
    run = caller.ended_run()
    assert (run.status, run.error, run.answer) == (RunStatus.FAILED, "upstream_error", "one ")
    assert caller.counted_tokens() == run.total_tokens > 0
    assert caller.stored_responses() == (["failed"] if stream and endpoint == "responses" else [])


@pytest.mark.parametrize("stream", [False, True])
def test_a_history_that_cannot_be_saved_fails_the_request_and_not_the_record(
    stack: Stack, caller: Caller, llm: ScriptedLLM, *, stream: bool
) -> None:
    llm.script(caller.model, {"text": "Noted."})
    stored = {"mcp_connector": {"history": "stored"}, "session_id": caller.model}
    with refusing(stack, "assistants_conversation", "NEW.messages IS NOT NULL"):
        answer = caller.send("chat/completions", stream=stream, **stored)
    if stream:
        *_, last, rest = answer.text.split("\n\n")
        error = json.loads(last.removeprefix("data: "))["error"]
        assert (error["code"], rest) == ("database_unavailable", "")
        assert '"finish_reason":"stop"' not in answer.text
    else:
        assert (answer.status_code, error_of(answer)["code"]) == (503, "database_unavailable")
    assert caller.ended_run().status == RunStatus.COMPLETED
    llm.script(caller.model, {"text": "Who?"})
    caller.send("chat/completions", **stored)
    assert len(llm.bodies(caller.model)[-1]["messages"]) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_cannot_be_stored_is_given_all_the_same(
    stack: Stack, caller: Caller, llm: ScriptedLLM, *, stream: bool
) -> None:
    llm.script(caller.model, {"text": "Hello back."})
    with refusing(stack, "assistants_storedresponse", "true"):
        answer = caller.send("responses", stream=stream)
    assert answer.status_code == 200
    last = answer.text.rstrip().rpartition("data: ")[2]
    response = json.loads(last)["response"] if stream else answer.json()
    text = response["output"][0]["content"][0]["text"]
    assert (response["status"], text) == ("completed", "Hello back.")
    assert caller.http.get(f"responses/{response['id']}").status_code == 404


def test_hidden_rounds_that_cannot_be_saved_cost_the_caller_nothing(stack: Stack, llm: ScriptedLLM) -> None:
    caller = Caller(stack, stack.server("Outcome"))
    calls = [{"name": "outcome__echo", "arguments": {"say": "hi"}}, {"name": "look", "arguments": {}}]
    llm.script(caller.model, {"tool_calls": calls})
    look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    with caller.http, refusing(stack, "assistants_hiddenrounds", "true"):
        answer = caller.send("chat/completions", tools=[look])
    [choice] = answer.json()["choices"]
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["look"]
    assert caller.ended_run().status == RunStatus.COMPLETED


@contextmanager
def refusing(stack: Stack, table: str, condition: str) -> Iterator[None]:
    """PostgreSQL refuses to write such rows, as it does when its disk is full."""
    with stack.database(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER refusing BEFORE INSERT OR UPDATE ON {table}"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with stack.database(), connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refusing ON {table}")
