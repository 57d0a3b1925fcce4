"""Bad keys, bad addresses and bad bodies, over HTTP: each in OpenAI's envelope, with a request id."""

import uuid
from typing import Any

import httpx
import openai
import pytest

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from tests.assistants.openai_api.conftest import HELLO, Post, error_of
from tests.llm import ScriptedLLM
from tests.stack import BY, Stack, wait_for

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer nonsense",
        "Bearer ' OR '1'='1",
        "Bearer $(id) {{7*7}} %00",
        "Basic YTpi",
        "Bearer a b",
        "Bearer ak-123456-" + "x" * 30 + "000000",
        "Bearer " + "x" * 8_000,
        "Bearer \u00e9\u00ff",
    ],
)
def test_it_refuses_a_bad_key(stack: Stack, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    for response in (
        httpx.post(stack.url + CHAT, headers=headers, json={"model": "m", "messages": HELLO}),
        httpx.get(f"{stack.url}/v1/models", headers=headers),
    ):
        assert response.status_code == 401
        error = error_of(response)
        assert (error["code"], error["type"]) == ("invalid_api_key", "invalid_request_error")
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_in_the_query_is_ignored(stack: Stack, key: IssuedKey) -> None:
    response = httpx.get(f"{stack.url}/v1/models", params={"api_key": key.key})
    assert response.status_code == 401


def test_it_never_repeats_a_mistyped_key(stack: Stack, key: IssuedKey) -> None:
    mistyped = key.key[:-1]
    response = httpx.get(f"{stack.url}/v1/models", headers={"authorization": f"Bearer {mistyped}"})
    assert response.status_code == 401
    assert mistyped not in response.text
    assert mistyped not in stack.log("web")


def test_it_refuses_a_key_that_was_disabled_a_moment_ago(stack: Stack) -> None:
    issued = stack.key(f"soon-disabled-{uuid.uuid4().hex}")
    headers = {"authorization": f"Bearer {issued.key}"}
    assert httpx.get(f"{stack.url}/v1/models", headers=headers).status_code == 200
    with stack.database():
        key_actions.update(issued.api_key, by=BY, is_disabled=True)
    wait_for(lambda: httpx.get(f"{stack.url}/v1/models", headers=headers).status_code == 401, within_s=15)


def test_it_refuses_a_key_that_may_not_call(stack: Stack) -> None:
    issued = stack.key(f"manager-{uuid.uuid4().hex}", can_manage=True, can_call_assistant=False)
    headers = {"authorization": f"Bearer {issued.key}"}
    response = httpx.get(f"{stack.url}/v1/models", headers=headers)
    assert response.status_code == 403
    assert error_of(response)["type"] == "permission_error"


@pytest.mark.parametrize("name", ["unknown", "", "../etc/passwd", "x" * 10_000, "Größe", "a/b"])
def test_an_unknown_model_is_not_found(post: Post, name: str) -> None:
    response = post(model=name)
    assert response.status_code == 404
    error = error_of(response)
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_another_keys_model_is_indistinguishable_from_an_unknown_one(
    stack: Stack, post: Post, llm: ScriptedLLM
) -> None:
    other = stack.key(f"other-{uuid.uuid4().hex}")
    slug = f"foreign-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, keys=(other,))
    llm.script(slug, {"text": "Secret."})
    foreign, unknown = post(model=slug), post(model="unknown")
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    assert llm.requests(slug) == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/models/x", 405, "method_not_allowed"),
        ("GET", "/v1/", 404, "unknown_url"),
        ("POST", "/v1/chat/completions/", 404, "unknown_url"),
        ("GET", "/v1/nothing/here", 404, "unknown_url"),
        ("GET", "/v1/models/a/b", 404, "model_not_found"),
        ("GET", "/v1/models/a%0Ab", 404, "model_not_found"),
        ("GET", "/api/v1/models/a%0Ab", 404, "model_not_found"),
    ],
)
def test_an_address_that_is_not_there(
    http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    response = http.request(method, path)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_a_wrong_method_is_answered_with_the_right_one(http: httpx.Client) -> None:
    assert http.get(CHAT).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model": "a", "model": "b"}', "invalid_json"),
        (b'{"temperature": NaN}', "invalid_json"),
        (b'{"model": "\\ud800"}', "invalid_json"),
        (b'{"model": "\xff"}', "invalid_json"),
        (b"[" * 20_000, "invalid_json"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "invalid_json"),
        (b"[]", "invalid_type"),
        (b"null", "invalid_type"),
        (b'"x"', "invalid_type"),
        (b"{}", "missing_required_parameter"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/api/v1/chat/completions"])
def test_a_broken_body(http: httpx.Client, path: str, content: bytes, code: str) -> None:
    response = http.post(path, content=content, headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["code"]) == (400, code)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages[0].tool_call_id"),
        ({"stream": "true"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 0}, "n"),
        ({"n": 3}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"tools": {}}, "tools"),
        ({"audio": {"voice": "alloy"}}, "audio"),
    ],
)
def test_a_wrong_field_is_named(
    post: Post, llm: ScriptedLLM, model: str, fields: dict[str, Any], param: str
) -> None:
    llm.script(model, {"text": "It went through.", "repeat": True})
    for stream in (False, True):
        response = post(**({"stream": stream} | fields))
        assert (response.status_code, error_of(response)["param"]) == (400, param)
    assert llm.requests(model) == []


def test_a_history_that_ends_in_tool_calls(post: Post, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "It went through."})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    response = post(messages=[*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}])
    assert (response.status_code, error_of(response)["param"]) == (400, "messages[1].tool_calls")
    assert llm.requests(model) == []


def test_a_body_over_the_limit(post: Post) -> None:
    response = post(messages=[{"role": "user", "content": "x" * 10 * 1024 * 1024}])
    assert (response.status_code, error_of(response)["code"]) == (413, "request_too_large")


def test_a_body_over_the_limit_that_hides_its_length(http: httpx.Client) -> None:
    def chunks() -> Any:
        for _ in range(11):
            yield b" " * 1024 * 1024

    response = http.post(CHAT, content=chunks(), headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=bz2_codec"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_no_plain_json(http: httpx.Client, headers: dict[str, str]) -> None:
    response = http.post(CHAT, content=b"{}", headers=headers)
    assert response.status_code == 415
    error_of(response)


def test_a_page_of_html_is_never_the_answer(http: httpx.Client) -> None:
    response = http.get("/v1/nothing", headers={"accept": "text/html"})
    error_of(response)


def test_the_sdk_sees_what_kind_of_error_it_is(client: openai.OpenAI, stack: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.chat.completions.create(model="unknown", messages=HELLO)
    assert (refusal.value.code, refusal.value.param) == ("model_not_found", "model")
    assert refusal.value.request_id
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(api_key="nonsense", base_url=f"{stack.url}/v1").models.list()
