"""The LLM is down, refuses, is slow or breaks off: a clear error of the right status, and nobody waits."""

import json
import time
import uuid
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from assistants import actions as assistant_actions
from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM
from tests.stack import BY, Stack

BEGUN = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]}\n\n'
ENDED = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
LEAK = "sk-a-secret-of-ours"
REFUSAL = json.dumps({"error": {"message": f"Incorrect API key provided: {LEAK}"}})


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"status": 401, "body": REFUSAL}, (502, "upstream_auth_error")),
        ({"status": 403, "body": REFUSAL}, (502, "upstream_auth_error")),
        ({"status": 429, "headers": {"retry-after": "30"}, "body": REFUSAL}, (429, "upstream_rate_limited")),
        ({"status": 400, "body": REFUSAL}, (400, "invalid_request")),
        ({"status": 500, "body": REFUSAL}, (502, "upstream_error")),
        ({"status": 503, "body": "<html>busy</html>"}, (502, "upstream_error")),
        (
            {"body": "<html>hello</html>", "headers": {"content-type": "text/html"}},
            (502, "upstream_invalid_response"),
        ),
        ({"body": REFUSAL}, (502, "upstream_error")),
        ({"text": "never seen", "cut_after": 0}, (502, "upstream_error")),
        ({"text": "too late", "delay_s": 30}, (504, "upstream_timeout")),
    ],
)
def test_a_failing_model(
    post: Post, llm: ScriptedLLM, model: str, step: dict[str, Any], expected: tuple[int, str]
) -> None:
    llm.script(model, step | {"repeat": True})
    for stream in (False, True):
        started = time.monotonic()
        response = post(stream=stream)
        assert (response.status_code, error_of(response)["code"]) == expected
        assert LEAK not in response.text
        assert time.monotonic() - started < 20


def test_a_rate_limit_says_when_to_come_back(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"status": 429, "headers": {"retry-after": "30"}, "body": "{}", "repeat": True})
    response = post()
    assert response.headers["retry-after"] == "30"
    assert error_of(response)["type"] == "rate_limit_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_not_there(stack: Stack, key: IssuedKey, post: Post, stream: bool) -> None:
    slug = f"nowhere-{uuid.uuid4().hex[:12]}"
    with stack.database():
        provider = assistant_actions.add_provider(
            name=slug, base_url="http://127.0.0.1:9/v1", default_model="m", by=BY
        )
    stack.assistant(slug, keys=(key,), provider=provider)
    response = post(model=slug, stream=stream)
    assert (response.status_code, error_of(response)["code"]) == (502, "upstream_error")


@pytest.mark.parametrize(
    ("step", "code"), [({"cut_after": 2}, "upstream_error"), ({"chunk_delay_s": 30}, "upstream_timeout")]
)
def test_a_stream_that_breaks_off_ends_in_an_error(
    http: httpx.Client, llm: ScriptedLLM, model: str, step: dict[str, Any], code: str
) -> None:
    llm.script(model, step | {"sse": [BEGUN] * 4})
    *events, last, rest = events_of(http, model=model)
    assert '"content":"one "' in "".join(events)
    error = json.loads(last.removeprefix("data: "))
    assert (list(error), error["error"]["code"], rest) == (["error"], code, "")


def test_the_sdk_raises_the_error_of_a_stream(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "one two three", "cut_after": 3})
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="broke"):
        list(stream)


def test_a_broken_stream_is_an_error_where_the_answer_is_whole(
    post: Post, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "one two three", "cut_after": 3, "repeat": True})
    response = post()
    assert (response.status_code, error_of(response)["code"]) == (502, "upstream_error")


def test_a_silent_model_is_bridged_by_heartbeats(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"sse": [BEGUN, ENDED], "chunk_delay_s": 2.5})
    events = events_of(http, model=model)
    assert sum(event.startswith(":") for event in events) == 2
    assert events[-2:] == ["data: [DONE]", ""]


def events_of(http: httpx.Client, *, model: str) -> list[str]:
    request = {"model": model, "messages": HELLO, "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=request) as answer:
        assert answer.status_code == 200
        return answer.read().decode().split("\n\n")
