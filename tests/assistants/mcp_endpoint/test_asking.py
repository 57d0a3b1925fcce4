"""What servers ask back reaches the person at the client, in every pair of eras."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp.client.context import ClientRequestContext
from mcp.types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from config.runner.network import free_port
from tests.assistants.mcp_endpoint.clients import ERAS, Caller, connected
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.assistants.mcp_endpoint.events import posted
from tests.stack import BY, SERVERS, Stack, readiness, wait_for
from tools import actions
from tools.models import MCPTool

Callers = Callable[..., Caller]
SESSIONS, STATELESS = "/mcp/s/curious", "/mcp/s/curious-stateless"
ASKED: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def curious(stack: Stack, desk: Desk) -> Iterator[None]:
    program = str(SERVERS / "asking.py")
    servers = [
        stack.server("Curious", args=[program], asks_back=True),
        stack.server("Curious stateless", args=[program, "modern"]),
        stack.server("Telling", args=[str(SERVERS / "telling.py")], asks_back=True),
    ]
    yield
    with stack.database():
        for server in servers:
            actions.delete(MCPTool.objects.get(pk=server.pk), by=BY)


async def elicited(_: ClientRequestContext, params: Any) -> ElicitResult:
    ASKED.append(params.message)
    return ElicitResult(action="accept", content={"name": "Ada"})


async def sampled(_: ClientRequestContext, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", model="m", content=TextContent(text="sampled", type="text"))


async def listed(_: ClientRequestContext) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///srv/ada")])  # type: ignore[arg-type]


ANSWERS = {
    "elicitation_callback": elicited,
    "sampling_callback": sampled,
    "list_roots_callback": listed,
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("path", [SESSIONS, STATELESS])
async def test_the_persons_answer_reaches_the_tool(desk: Desk, era: str, path: str) -> None:
    ASKED.clear()
    async with connected(desk.url + path, desk.manager.key, era=era, **ANSWERS) as client:
        result = await client.call_tool("ask", {"kinds": ["form"]})
    assert "Ada" in result.content[0].text  # type: ignore[union-attr]
    assert [f"{'Curious' if path == SESSIONS else 'Curious stateless'}: Who?"] == ASKED


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("path", [SESSIONS, STATELESS])
async def test_the_person_is_sent_to_a_page(desk: Desk, era: str, path: str) -> None:
    """The id that it must have in the era of sessions, where the other one has none, is made here."""
    async with connected(desk.url + path, desk.manager.key, era=era, **ANSWERS) as client:
        result = await client.call_tool("ask", {"kinds": ["url"]})
    assert "accept" in result.content[0].text  # type: ignore[union-attr]


def test_a_server_that_logs_says_so_in_either_era(caller: Callers, desk: Desk) -> None:
    client = caller(SESSIONS, key=desk.manager.key)
    assert client.stateless("server/discover").json()["result"]["capabilities"]["logging"] == {}
    assert client.initialize().json()["result"]["capabilities"]["logging"] == {}


def test_answers_must_be_an_object(caller: Callers, desk: Desk) -> None:
    client = caller(STATELESS, key=desk.manager.key)
    answer = client.stateless("tools/call", header="ask", name="ask", inputResponses=["accept"])
    assert answer.json()["error"]["code"] == -32602
    assert "inputResponses" in answer.json()["error"]["message"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_may_ask_several_things(desk: Desk, era: str) -> None:
    async with connected(desk.url + SESSIONS, desk.manager.key, era=era, **ANSWERS) as client:
        result = await client.call_tool("ask", {"kinds": ["form", "sampling", "roots"], "at_once": True})
    said = result.content[0].text  # type: ignore[union-attr]
    assert "Ada" in said
    assert "sampled" in said
    assert "file:///srv/ada" in said


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("path", [SESSIONS, STATELESS])
async def test_a_client_that_cannot_be_asked_is_told(desk: Desk, era: str, path: str) -> None:
    async with connected(desk.url + path, desk.manager.key, era=era) as client:
        result = await client.call_tool("ask", {"kinds": ["form"]})
    said = result.content[0].text  # type: ignore[union-attr]
    assert "nobody to ask" in said or "does not support" in said


@pytest.mark.parametrize("era", ERAS)
async def test_nobody_is_sent_to_a_url_over_plain_http(desk: Desk, era: str) -> None:
    ASKED.clear()
    async with connected(desk.url + SESSIONS, desk.manager.key, era=era, **ANSWERS) as client:
        await client.call_tool("ask", {"kinds": ["http"]})
    assert ASKED == []


def test_a_state_that_was_tampered_with_is_an_error(desk: Desk, caller: Callers) -> None:
    client = caller(STATELESS, key=desk.manager.key)
    meta = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    arguments = {"kinds": ["form"]}
    first = client.stateless("tools/call", header="ask", name="ask", arguments=arguments, meta=meta).json()
    assert first["result"]["resultType"] == "input_required"
    answers = {"form": {"action": "accept", "content": {"name": "Ada"}}}
    state = first["result"]["requestState"]

    def again(state: str) -> dict[str, Any]:
        answer = client.stateless(
            "tools/call",
            header="ask",
            name="ask",
            arguments=arguments,
            meta=meta,
            inputResponses=answers,
            requestState=state,
        )
        found: dict[str, Any] = answer.json()
        return found

    assert again(f"{state}x")["error"]["code"] == -32602
    assert "Ada" in json.dumps(again(state)["result"])


def test_an_answer_may_come_to_another_web_process(stack: Stack, desk: Desk, caller: Callers) -> None:
    port = free_port()
    second = stack.start_process("web3", stack.web_command(port))
    try:
        wait_for(lambda: readiness(f"http://127.0.0.1:{port}") == "ok", within_s=60)
        client = caller(SESSIONS, key=desk.manager.key)
        client.initialize(elicitation={})
        elsewhere = Caller(f"http://127.0.0.1:{port}{SESSIONS}", desk.manager.key)
        elsewhere.http.headers["mcp-session-id"] = client.session
        params = {"name": "ask", "arguments": {"kinds": ["form"]}}
        with posted(client, {"method": "tools/call", "params": params}) as events:
            question = events.until("elicitation/create")
            answer = {"id": question["id"], "result": {"action": "accept", "content": {"name": "Grace"}}}
            assert elsewhere.post(answer).status_code == 202
            last = events.next()
        elsewhere.http.close()
    finally:
        second.stop(timeout_s=10)
    assert last is not None
    assert "Grace" in json.dumps(last["result"])


def test_a_client_that_leaves_gives_its_call_up(desk: Desk, caller: Callers) -> None:
    client = caller(SESSIONS, key=desk.manager.key)
    client.initialize(elicitation={})
    params = {"name": "ask", "arguments": {"kinds": ["form"]}}
    with posted(client, {"method": "tools/call", "params": params}) as events:
        events.until("elicitation/create")

    wait_for(lambda: has_cancelled(client), within_s=25)


def test_a_call_whose_next_round_is_refused_is_given_up(stack: Stack, desk: Desk, caller: Callers) -> None:
    """Each round counts in the limits of the key."""
    key = stack.key("One at a time", can_manage=True, concurrent_requests=1).key
    asked, other = caller(SESSIONS, key=key), caller(SESSIONS, key=key)
    asked.initialize(elicitation={})
    other.initialize()
    asking = {"name": "ask", "arguments": {"kinds": ["form"]}}
    reporting = {"name": "report", "arguments": {"times": 500, "every": 0.02}, "_meta": {"progressToken": 1}}
    with posted(asked, {"method": "tools/call", "params": asking}) as events:
        question = events.until("elicitation/create")
        with posted(other, {"method": "tools/call", "params": reporting}) as reports:
            reports.until("notifications/progress")
            asked.post({"id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}})
            last = events.next()
    assert last is not None
    assert "at once" in last["error"]["message"]
    wait_for(lambda: has_cancelled(asked), within_s=25)


def has_cancelled(client: Caller) -> bool:
    """Whether a call was cancelled in the client's session with the server; also false where nobody knows."""
    answer = client.request("tools/call", name="cancelled", arguments={}).json()
    return "result" in answer and int(answer["result"]["content"][0]["text"]) > 0


def test_a_session_gets_the_log_of_its_own_calls(desk: Desk, caller: Callers) -> None:
    client = caller(SESSIONS, key=desk.manager.key)
    client.initialize()
    client.request("logging/setLevel", level="debug")
    with posted(client, {"method": "tools/call", "params": {"name": "log", "arguments": {}}}) as events:
        first, last = events.next(), events.next()
    assert first is not None
    assert (first["method"], first["params"]["level"]) == ("notifications/message", "info")
    assert last is not None
    assert "result" in last


def test_changed_roots_of_a_client_reach_the_server(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/telling", key=desk.manager.key)
    client.initialize(roots={"listChanged": True})
    calling = {"method": "tools/call", "params": {"name": "pid", "arguments": {}}}
    client.post(calling)
    assert client.post({"method": "notifications/roots/list_changed"}).status_code == 202
    time.sleep(1)
    with posted(client, calling) as events:
        question = events.until("roots/list", within_s=20)
        client.post({"id": question["id"], "result": {"roots": [{"uri": "file:///srv/ada"}]}})
        assert events.next() is not None

    def roots() -> str:
        answer = client.request("tools/call", name="roots", arguments={}).json()
        return str(answer["result"]["content"][0]["text"])

    wait_for(lambda: "file:///srv/ada" in roots(), within_s=10)


def test_a_client_is_told_that_what_a_url_was_for_is_done(desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/telling", key=desk.manager.key)
    client.initialize(elicitation={"url": {}})
    params = {"name": "finish", "arguments": {}}
    with posted(client, {"method": "tools/call", "params": params}) as events:
        told = events.until("notifications/elicitation/complete")
    assert told["params"] == {"elicitationId": "1", "more": 1}
