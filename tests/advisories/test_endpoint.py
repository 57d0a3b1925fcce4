"""The MCP endpoint: sessions without an end, and what two readers of JSON would read differently."""

from typing import Any

import httpx2
import pytest

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
    b'"method":"tools/call","params":{"name":"a","name":"b","arguments":{}}',
    b'"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}',
    b'"jsonrpc":"1.0","method":"ping"',
]
OTHERWISE = [
    b'"Method":"tools/call",' + CALL,
    b'"METHOD":"tools/call","Params":{}',
    b'"m\\u0065thod ":"ping"',
]


def sent(desk: Desk, members: bytes) -> Any:
    headers = {
        "authorization": f"Bearer {desk.key.key}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2025-11-25",
    }
    return httpx2.post(
        f"{desk.url}/mcp/s/advised", content=b'{"jsonrpc":"2.0","id":1,' + members + b"}", headers=headers
    )


@pytest.mark.parametrize("members", TWICE + OTHERWISE)
def test_parser_differential(desk: Desk, members: bytes) -> None:
    """Go SDK 27896: a key in another case, or twice, was one thing to a policy and another to the executor.

    Here one reader reads a request once, refuses keys that come twice, and knows keys as they are spelled.
    """
    answer = sent(desk, members)
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
