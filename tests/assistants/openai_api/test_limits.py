"""Limits of keys as callers of the running product meet them."""

import concurrent.futures
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from apikeys.models import ApiKey, TokenUsage
from tests.assistants.openai_api.conftest import HELLO, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for

USAGE = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}
HELLO_BACK = {"text": "Hello.", "usage": USAGE}
SLOW = {"text": "One two three four five.", "delay_s": 2}

Caller = Callable[..., "LimitedCaller"]


class LimitedCaller:
    """A key with an assistant of its own."""

    def __init__(self, stack: Stack, **fields: Any) -> None:
        self.model = f"assistant-{uuid.uuid4().hex[:12]}"
        self.stack = stack
        self.issued = stack.key(self.model, **fields)
        stack.assistant(self.model, keys=(self.issued,))

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.issued.key}"}

    @property
    def body(self) -> dict[str, Any]:
        return {"model": self.model, "messages": HELLO}

    def post(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        url = f"{self.stack.url}/v1/chat/completions"
        return httpx.post(url, headers=headers or self.headers, json=self.body | fields, timeout=20)

    def tokens(self) -> int:
        with self.stack.database():
            row = TokenUsage.objects.filter(api_key=self.issued.api_key).first()
            return row.tokens if row else 0


@pytest.fixture
def caller(stack: Stack) -> Caller:
    return lambda **fields: LimitedCaller(stack, **fields)


def test_a_key_without_limits_has_no_such_headers(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller()
    llm.script(alice.model, HELLO_BACK)
    assert not [name for name in alice.post().headers if name.startswith("x-ratelimit")]


def test_every_answer_has_the_headers(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(requests_per_minute=3, tokens_per_minute=1000)
    llm.script(alice.model, HELLO_BACK, HELLO_BACK)
    answer, streamed, refused = alice.post(), alice.post(stream=True), alice.post(messages=[])
    assert [each.status_code for each in (answer, streamed, refused)] == [200, 200, 400]
    remaining = [each.headers["x-ratelimit-remaining-requests"] for each in (answer, streamed, refused)]
    assert remaining == ["2", "1", "0"]
    tokens = [each.headers["x-ratelimit-remaining-tokens"] for each in (answer, streamed, refused)]
    assert tokens == ["1000", "963", "926"]


def test_too_many_requests_are_refused_in_the_envelope(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(requests_per_minute=1)
    llm.script(alice.model, HELLO_BACK)
    alice.post()
    refusal = alice.post()
    assert refusal.status_code == 429
    error = error_of(refusal)
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert 1 <= int(refusal.headers["retry-after"]) <= 60
    assert refusal.headers["x-ratelimit-limit-requests"] == "1"
    assert len(llm.requests(alice.model)) == 1


def test_listing_models_is_not_counted(caller: Caller, stack: Stack) -> None:
    alice = caller(requests_per_minute=1)
    for _ in range(3):
        assert httpx.get(f"{stack.url}/v1/models", headers=alice.headers).status_code == 200


def test_spent_tokens_of_a_minute_refuse_the_next_request(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(tokens_per_minute=37)
    llm.script(alice.model, HELLO_BACK)
    assert alice.post(stream=True).status_code == 200
    refusal = alice.post()
    assert (refusal.status_code, error_of(refusal)["code"]) == (429, "rate_limit_exceeded")
    assert refusal.headers["x-ratelimit-remaining-tokens"] == "0"


def test_a_spent_month_is_not_worth_a_retry(caller: Caller, llm: ScriptedLLM, stack: Stack) -> None:
    alice = caller(tokens_per_month=30)
    llm.script(alice.model, HELLO_BACK)
    assert alice.post().status_code == 200
    wait_for(lambda: alice.tokens() == 37, within_s=20)
    wait_for(lambda: alice.post(messages=[]).status_code == 429, within_s=20)
    client = openai.OpenAI(api_key=alice.issued.key, base_url=f"{stack.url}/v1", max_retries=5)
    with client, pytest.raises(openai.RateLimitError) as refusal:
        client.chat.completions.create(**alice.body)
    assert refusal.value.code == "insufficient_quota"
    assert refusal.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in refusal.value.response.headers


@pytest.mark.parametrize("stream", [False, True])
def test_only_so_many_requests_run_at_once(caller: Caller, llm: ScriptedLLM, stream: bool) -> None:
    alice = caller(concurrent_requests=2)
    llm.script(alice.model, *[SLOW] * 3)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: alice.post(stream=stream), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
    (refusal, _) = (answer for answer in answers if answer.status_code == 429)
    assert error_of(refusal)["code"] == "rate_limit_exceeded"
    assert refusal.headers["retry-after"] == "1"
    assert alice.post(stream=stream).status_code == 200


def test_a_request_that_waits_for_its_first_attempt_takes_no_place(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(requests_per_minute=100, concurrent_requests=2)
    llm.script(alice.model, SLOW, HELLO_BACK)
    named = alice.headers | {"idempotency-key": "once"}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(alice.post, headers=named)
        wait_for(lambda: llm.requests(alice.model), within_s=20)
        second = pool.submit(alice.post, headers=named)
        time.sleep(0.5)
        assert alice.post().status_code == 200
        assert first.result().json() == second.result().json()


def test_a_response_in_the_background_runs_with_the_only_place(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(requests_per_minute=100, concurrent_requests=1)
    llm.script(alice.model, HELLO_BACK)
    url = f"{alice.stack.url}/v1/responses"
    body = {"model": alice.model, "input": "Hello", "background": True}
    begun = httpx.post(url, headers=alice.headers, json=body, timeout=20).json()

    def status() -> str:
        return httpx.get(f"{url}/{begun['id']}", headers=alice.headers, timeout=20).json()["status"]

    wait_for(lambda: status() not in {"queued", "in_progress"}, within_s=30)
    assert status() == "completed"


def test_a_caller_who_leaves_releases_the_permit_and_still_pays(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller(concurrent_requests=1)
    llm.script(alice.model, {"text": "One two three.", "chunk_delay_s": 1}, HELLO_BACK)
    url, long = f"{alice.stack.url}/v1/chat/completions", [{"role": "user", "content": "x" * 4000}]
    body = alice.body | {"messages": long, "stream": True}
    with httpx.stream("POST", url, headers=alice.headers, json=body, timeout=20) as answer:
        lines = answer.iter_lines()
        assert any("One" in line for line in lines)
        assert alice.post().status_code == 429
    wait_for(lambda: alice.post().status_code == 200, within_s=20)
    wait_for(lambda: 1000 + 37 < alice.tokens() < 1010 + 37, within_s=20)


def test_a_run_that_the_llm_refused_costs_nothing(caller: Caller, llm: ScriptedLLM) -> None:
    alice = caller()
    llm.script(alice.model, {"status": 401}, HELLO_BACK)
    assert alice.post().status_code == 502
    assert alice.post().status_code == 200
    wait_for(lambda: alice.tokens() == 37, within_s=20)


def test_the_use_of_a_key_is_written(caller: Caller, llm: ScriptedLLM, stack: Stack) -> None:
    alice = caller()
    llm.script(alice.model, HELLO_BACK)
    alice.post()
    with stack.database():
        wait_for(lambda: ApiKey.objects.get(pk=alice.issued.api_key.pk).last_used_at, within_s=20)


def test_a_key_is_refused_outside_its_networks(caller: Caller, llm: ScriptedLLM) -> None:
    outside, inside = caller(allowed_networks=["192.0.2.0/24"]), caller(allowed_networks=["127.0.0.0/8"])
    llm.script(inside.model, HELLO_BACK)
    refusal = outside.post()
    assert (refusal.status_code, error_of(refusal)["code"]) == (403, "network_not_allowed")
    assert inside.post().status_code == 200
