"""Clients of the running product's OpenAI API. Each test has its own assistant, scripted by the slug."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from tests.stack import Stack

HELLO = [{"role": "user", "content": "Hello"}]

Post = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def key(stack: Stack) -> IssuedKey:
    return stack.key("caller")


@pytest.fixture
def model(stack: Stack, key: IssuedKey) -> str:
    slug = f"assistant-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, keys=(key,))
    return slug


@pytest.fixture
def client(stack: Stack, key: IssuedKey) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=key.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
async def async_client(stack: Stack, key: IssuedKey) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{stack.url}/v1"
    async with openai.AsyncOpenAI(api_key=key.key, base_url=url, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def http(stack: Stack, key: IssuedKey) -> Iterator[httpx.Client]:
    """For what the SDK would not send."""
    headers = {"authorization": f"Bearer {key.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def post(http: httpx.Client, model: str) -> Post:
    def post(**fields: Any) -> httpx.Response:
        return http.post("/v1/chat/completions", json={"model": model, "messages": HELLO} | fields)

    return post


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error in OpenAI's envelope, whose form is checked."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    return dict(body["error"])
