"""Resources and prompts of labelled servers: what a client has read counts when it calls a tool later."""

from collections.abc import Callable
from typing import Any

import pytest

from apikeys.actions import IssuedKey
from assistants.models import Effect, Rule
from tests.assistants.mcp_endpoint.clients import Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import SERVERS, Stack
from tools.models import Label

Callers = Callable[..., Caller]
Ask = Callable[..., dict[str, Any]]
SECRET = f"ghp_{'a1B2c3D4e5F6' * 3}"
READS = {
    "resource": ("resources/read", {"uri": "memo://today"}),
    "prompt": ("prompts/get", {"name": "private-desk__greet", "arguments": {"name": "Ada"}}),
}


@pytest.fixture(scope="module")
def key(stack: Stack, desk: Desk) -> IssuedKey:
    """May call an assistant whose tools do nothing, and which has a private server beside them."""
    private = stack.server(
        "Private desk", args=[str(SERVERS / "rich.py"), "stdio"], labels=[Label.READS_PRIVATE.value]
    )
    key = stack.key("At the private desk")
    stack.assistant("private", desk.fake, private, keys=(key,), masks_secrets=True)
    with stack.database():
        Rule.objects.create(
            name="Nothing leaves",
            effect=Effect.DENY,
            scope=Rule.Scope.KEY,
            api_key=key.api_key,
            conditions={"expression": "'reads_private' in touched"},
        )
    return key


def answer(client: Caller, method: str, **params: Any) -> dict[str, Any]:
    name = params.get("name") or params.get("uri")
    asked = client.request if client.session else client.stateless
    options = {} if client.session else {"header": name}
    found: dict[str, Any] = asked(method, **options, **params).json()
    assert "result" in found, found
    result: dict[str, Any] = found["result"]
    return result


def is_denied(client: Caller) -> bool:
    result = answer(client, "tools/call", name="fake-desk__echo", arguments={})
    is_error = bool(result.get("isError"))
    assert not is_error or "forbids" in result["content"][0]["text"]
    return is_error


@pytest.mark.parametrize("path", ["/mcp/a/private", "/mcp"])
@pytest.mark.parametrize("read", READS)
def test_what_a_session_has_read_counts_for_its_next_calls(
    key: IssuedKey, caller: Callers, read: str, path: str
) -> None:
    client, other = (caller(path, key=key.key) for _ in range(2))
    client.initialize()
    other.initialize()
    method, params = READS[read]
    assert not is_denied(client)
    answer(client, method, **params)
    assert is_denied(client)
    assert not is_denied(other)


@pytest.mark.parametrize("read", READS)
def test_what_was_read_without_a_session_counts_for_the_same_end_user(
    key: IssuedKey, caller: Callers, read: str
) -> None:
    client, other = (
        caller("/mcp/a/private", key=key.key, **{"x-end-user": f"{name}-{read}"}) for name in ("ann", "bob")
    )
    method, params = READS[read]
    answer(client, method, **params)
    assert is_denied(client)
    assert not is_denied(other)


def test_secrets_in_a_prompt_are_masked_where_the_assistant_says_so(key: IssuedKey, caller: Callers) -> None:
    client = caller("/mcp/a/private", key=key.key)
    client.initialize()
    prompt = answer(client, "prompts/get", name="private-desk__greet", arguments={"name": SECRET})
    assert SECRET not in str(prompt)
    assert "[masked: " in str(prompt["messages"])
