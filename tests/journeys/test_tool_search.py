"""From a server that is registered to its tools being found, seconds later, by what they mean."""

import time
from typing import Any

import pytest
import requests

from tests.stack import Stack, wait_for

SECONDS_AFTER_DISCOVERY = 10


@pytest.fixture(scope="module")
def session(stack: Stack) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {stack.key('searcher', can_manage=True).key}"
    return session


def read(stack: Stack, session: requests.Session, path: str, **query: Any) -> Any:
    response = session.get(f"{stack.url}/api/v1/mcp-tools/{path}", params=query, timeout=20)
    assert response.status_code == 200, response.text
    return response.json()


def test_tools_are_found_seconds_after_their_discovery(stack: Stack, session: requests.Session) -> None:
    fields = {"command": "mcp-server-time", "args": [], "description": "Clocks of the world"}
    server = stack.server("Chronometer", **fields)
    discovered = time.monotonic()

    def hits() -> list[Any]:
        found = read(stack, session, "search", q="Tell me the current time in Tokyo", limit=20)
        return [hit for hit in found if hit["mcp_tool_id"] == server.pk]

    wait_for(lambda: len(hits()) == 2 and all(hit["why"]["dense"] > 0.1 for hit in hits()), within_s=30)
    assert time.monotonic() - discovered < SECONDS_AFTER_DISCOVERY
    assert hits()[0]["function"] == "get_current_time"
    progress = read(stack, session, "index")
    assert progress["embedder"] == "minilm-l6-v2"
    server_url = f"{stack.url}/api/v1/mcp-tools/{server.pk}"
    assert requests.delete(server_url, headers=session.headers, timeout=20).status_code == 204
    assert hits() == []


def test_a_query_is_as_long_as_a_request_line_may_be(stack: Stack, session: requests.Session) -> None:
    assert isinstance(read(stack, session, "search", q="w" * 60_000), list)
    too_long = session.get(f"{stack.url}/api/v1/mcp-tools/search", params={"q": "w" * 100_000}, timeout=20)
    assert too_long.status_code == 431
    assert isinstance(read(stack, session, "search", q="w"), list)
