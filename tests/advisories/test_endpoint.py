"""The MCP endpoint: sessions without an end, and what two readers of JSON would read differently."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.assistants.mcp_endpoint.clients import Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.test_memory import MB, initialize, memory
from tests.stack import Stack


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    server = stack.server("Advised")
    key = stack.key("advised")
    stack.assistant("advised", server, keys=(key,))
    return Desk(stack.url, key, key, server, server)


CALL = b'"params":{"name":"echo","arguments":{}}'
TWICE = [
    b'"method":"ping","method":"tools/call",' + CALL,
    b'"method":"tools/call","method":"ping",' + CALL,
    b'"method":"ping","params":{},' + CALL,
    b'"method":"tools/call","params":{"name":"echo","name":"echo","arguments":{}}',
    b'"method":"tools/call","params":{"name":"echo","arguments":{"x":1,"x":2}}',
    b'"jsonrpc":"2.0","method":"ping"',
]
OTHERWISE = [
    b'"method":"ping","Method":"tools/call",' + CALL,
    b'"Method":"tools/call",' + CALL,
    b'"METHOD":"tools/call","Params":{}',
    b'"m\\u0065thod ":"ping"',
]


@pytest.fixture(scope="module")
def client(desk: Desk) -> Iterator[Caller]:
    """A client in a session: without one all that follows would be refused for that alone."""
    client = Caller(f"{desk.url}/mcp/s/advised", desk.key.key)
    client.initialize()
    yield client
    client.http.close()


def sent(client: Caller, members: bytes) -> Any:
    body = b'{"jsonrpc":"2.0","id":1,' + members + b"}"
    return client.http.post(client.url, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("members", [b'"method":"ping"', b'"method":"tools/call",' + CALL])
def test_what_has_one_meaning_is_answered(client: Caller, members: bytes) -> None:
    """Of the test below: each of its requests would be answered, if one of its meanings were taken."""
    answer = sent(client, members)
    assert answer.status_code == 200
    assert "result" in answer.text


@pytest.mark.parametrize("members", TWICE + OTHERWISE)
def test_parser_differential(client: Caller, members: bytes) -> None:
    """Go SDK 27896: a key in another case, or twice, was one thing to a policy and another to the executor.

    Here one reader reads a request once, refuses keys that come twice, and knows keys as they are spelled.
    """
    answer = sent(client, members)
    assert answer.status_code == 400
    assert "result" not in answer.json()


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_memory_by_sessions(stack: Stack, desk: Desk) -> None:
    """Python SDK 59951, Ruby SDK 63119 and 67430: 100,000 that only initialize. Ten thousand are in
    tests/assistants/mcp_endpoint; a line without an end is in tests/connector/wire.
    """
    await initialize(desk, 2_000)
    before = memory(stack)
    await initialize(desk, 100_000)
    assert memory(stack) - before < 10 * MB
