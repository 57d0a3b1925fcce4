"""Requests that are sent again: over two web processes, and no tool runs twice."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from apikeys.actions import IssuedKey
from config.runner.network import free_port
from tests.assistants.openai_api.conftest import HELLO, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, readiness, wait_for
from tools.models import MCPTool

SLOW = {"tool_calls": [{"name": "idem__sleep", "arguments": {"s": 3}}]}
ECHO = {"tool_calls": [{"name": "idem__echo", "arguments": {"say": "hi"}}]}
FIRST = {"x-stainless-retry-count": "0"}
AGAIN = {"x-stainless-retry-count": "1"}
Send = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def server(stack: Stack) -> MCPTool:
    return stack.server("Idem")


@pytest.fixture(scope="module")
def other_url(stack: Stack) -> Iterator[str]:
    """Another web process of the same product."""
    port = free_port()
    running = stack.start_process("web-of-repetitions", stack.web_command(port))
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=60)
    yield url
    running.stop(timeout_s=10)


@pytest.fixture
def model(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    slug = f"repeated-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,))
    return slug


@pytest.fixture
def send(stack: Stack, key: IssuedKey, model: str) -> Send:
    def send(
        headers: dict[str, str], *, url: str = stack.url, timeout: float = 20, **fields: Any
    ) -> httpx.Response:
        body = {"model": model, "messages": HELLO, **fields}
        headers = {"authorization": f"Bearer {key.key}", **headers}
        return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=timeout)

    return send


def named() -> dict[str, str]:
    return {"idempotency-key": uuid.uuid4().hex}


@pytest.mark.parametrize(
    ("kind", "stream"), [("named", False), ("named", True), ("retried", False), ("retried", True)]
)
def test_a_repetition_joins_the_running_request(
    other_url: str, send: Send, llm: ScriptedLLM, model: str, *, kind: str, stream: bool
) -> None:
    llm.script(model, SLOW, {"text": "Slept."})
    first, again = (both := named(), both) if kind == "named" else (FIRST, AGAIN)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(send, first, stream=stream)
        wait_for(lambda: llm.requests(model), within_s=20)
        time.sleep(0.5)
        joined = send(again, url=other_url, stream=stream)
        original = running.result()
    assert "Slept." in original.text
    assert joined.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in original.headers
    assert answer_of(joined) == answer_of(original)
    assert len(llm.bodies(model)) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_named_request_is_answered_again_as_it_was(
    other_url: str, send: Send, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, {"text": "Hello."})
    headers = named()
    original = send(headers, stream=stream)
    replayed = send(headers, url=other_url, stream=stream)
    assert answer_of(replayed) == answer_of(original)
    assert replayed.headers["content-type"] == original.headers["content-type"]
    wait_for(lambda: send(headers, stream=stream).headers.get("idempotent-replayed") == "true", within_s=20)
    assert len(llm.bodies(model)) == 1


def test_an_sdk_that_lost_the_answer_gets_it(
    other_url: str, send: Send, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ECHO, {"text": "Said."})
    original = send(FIRST)
    time.sleep(0.375)  # the SDKs' shortest pause
    assert answer_of(send(AGAIN, url=other_url)) == answer_of(original)
    assert len(llm.bodies(model)) == 2


def test_the_same_question_asked_anew_is_answered_anew(send: Send, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, ECHO, {"text": "One."}, ECHO, {"text": "Two."})
    assert ["One." in send(FIRST).text, "Two." in send(FIRST).text] == [True, True]


@pytest.mark.parametrize("headers", [named(), None])
def test_what_failed_before_a_tool_ran_is_tried_again(
    send: Send, llm: ScriptedLLM, model: str, headers: dict[str, str] | None
) -> None:
    refusal = {"status": 405, "body": "{}"}
    llm.script(model, refusal, {"text": "Now."})
    assert send(headers or FIRST).status_code == 502
    assert "Now." in send(headers or AGAIN).text


def test_what_failed_after_a_tool_ran_fails_again(
    other_url: str, send: Send, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, ECHO, {"status": 405, "body": "{}"}, {"text": "Never."})
    first = send(FIRST)
    time.sleep(0.375)
    again = send(AGAIN, url=other_url)
    assert (again.status_code, again.headers["x-should-retry"]) == (502, "false")
    assert again.json() == first.json()


def test_what_a_leaving_caller_cut_off_after_a_tool_ran_is_not_repeated(
    other_url: str, send: Send, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, SLOW, {"text": "Never."})
    with pytest.raises(httpx.ReadTimeout):
        send(FIRST, timeout=2)
    again = send(AGAIN, url=other_url)
    assert (again.status_code, error_of(again)["code"]) == (409, "request_interrupted")
    assert again.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [False, True])
def test_a_named_request_goes_on_without_its_caller(
    other_url: str, send: Send, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, SLOW, {"text": "Slept."})
    headers = named()
    with pytest.raises(httpx.ReadTimeout):
        send(headers, stream=stream, timeout=0.8)
    assert "Slept." in send(headers, url=other_url, stream=stream).text
    assert len(llm.bodies(model)) == 2


def test_a_named_stream_goes_on_though_its_caller_left_before_the_first_byte(
    other_url: str, send: Send, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "At last.", "delay_s": 1})
    headers = named()
    with pytest.raises(httpx.ReadTimeout):
        send(headers, stream=True, timeout=0.5)
    assert '" last."' in send(headers, url=other_url, stream=True).text
    assert len(llm.bodies(model)) == 1


def test_an_idempotency_key_names_one_request(send: Send, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Hello."})
    headers = named()
    assert send(headers).status_code == 200
    other = send(headers, temperature=1)
    assert (other.status_code, error_of(other)["code"]) == (422, "idempotency_key_reused")


def test_an_impossible_idempotency_key_is_refused(send: Send) -> None:
    assert error_of(send({"idempotency-key": "two words"}))["param"] == "idempotency-key"


def test_what_a_killed_process_was_answering_is_not_repeated(
    stack: Stack, send: Send, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"tool_calls": [{"name": "idem__sleep", "arguments": {"s": 30}}]}, {"text": "Never."})
    port, headers = free_port(), named()
    doomed = stack.start_process("doomed-web", stack.web_command(port))
    wait_for(lambda: readiness(f"http://127.0.0.1:{port}") == "ok", within_s=60)
    with ThreadPoolExecutor() as pool:
        lost = pool.submit(send, headers, url=f"http://127.0.0.1:{port}")
        wait_for(lambda: llm.requests(model), within_s=20)
        time.sleep(1)
        doomed.popen.kill()
        assert isinstance(lost.exception(), httpx.TransportError)
    again = send(headers, timeout=30)
    assert (again.status_code, error_of(again)["code"]) == (409, "request_interrupted")


def answer_of(response: httpx.Response) -> str:
    """Returns the answer without its heartbeats."""
    return "\n\n".join(part for part in response.text.split("\n\n") if not part.startswith(":"))
