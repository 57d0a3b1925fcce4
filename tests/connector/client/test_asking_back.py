"""Servers that ask their client back during a call: elicitation, sampling and roots, in both eras."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connector.client import requests
from connector.client.requests import InputRequired
from connector.errors import CallFailed
from connector.lifecycle.asking import AskingCall
from connector.models import Instance
from tests.connector.client.asking import ALL, ANSWERS, CLIENT, answered, asked, call, said
from tests.connector.conftest import SERVERS, wait_for
from tests.servers.asking import QUESTIONS
from tools import actions
from tools.models import MCPTool, Status


@pytest.fixture
async def modern(servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    server: MCPTool = await servers.running(args=[str(SERVERS / "asking.py"), "modern"], name="modern")
    return server


async def has_restarted(server: MCPTool) -> bool:
    """Whether the server runs under a new fence or generation."""
    row = await MCPTool.objects.aget(pk=server.pk)
    instance = await Instance.objects.aget(server=server)
    return instance.observed_generation == row.generation and row.status == Status.RUNNING


# --- the stateless era --------------------------------------------------------------------------------------


async def test_a_stateless_servers_questions_are_passed_on_and_answered(modern: MCPTool) -> None:
    kinds = ["form", "sampling", "roots"]
    required = await asked(modern, kinds=kinds)
    assert required.requests == {kind: QUESTIONS[kind] for kind in kinds}
    assert "so far" not in required.state
    answers = {kind: ANSWERS[kind] for kind in kinds}
    assert said(await call(modern, "ask", answered(required, **answers), kinds=kinds)) == ["so far", answers]


async def test_a_stateless_server_is_told_what_the_client_can_be_asked(modern: MCPTool) -> None:
    meta = said(await call(modern, "params"))["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {**ALL, "roots": {}}
    meta = said(await call(modern, "params", requests.NONE))["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}


@pytest.mark.parametrize(
    ("kind", "capabilities", "told"),
    [
        ("form", {"sampling": {}}, "elicitation, which the client does not support"),
        ("form", {"elicitation": {"url": {}}}, r"elicitation \(form\)"),
        ("url", {"elicitation": {}}, r"elicitation \(url\)"),
        ("http", ALL, "not https"),
        ("sampling", None, "sampling, which the client does not support"),
    ],
)
async def test_a_client_is_not_asked_what_it_cannot_answer(
    modern: MCPTool, kind: str, capabilities: Any, told: str
) -> None:
    with pytest.raises(CallFailed, match=told) as refused:
        await call(modern, "ask", replace(CLIENT, capabilities=capabilities), kinds=[kind])
    assert refused.value.code == "refused"


async def test_a_state_is_of_no_use_to_others(modern: MCPTool, asking: MCPTool) -> None:
    required = await asked(modern, kinds=["form"])
    stolen = answered(required, form=ANSWERS["form"])
    for server, exchange in [
        (modern, replace(stolen, key_id=2)),
        (asking, stolen),
        (modern, replace(stolen, state=required.state[:-1])),
    ]:
        with pytest.raises(CallFailed, match="state of the request"):
            await call(server, "ask", exchange, kinds=["form"])


async def test_log_messages_of_a_stateless_server_reach_the_client_that_wants_them(modern: MCPTool) -> None:
    logged: list[Any] = []
    await call(modern, "log", replace(CLIENT, on_log=logged.append, log_level="debug"))
    assert logged == [{"level": "info", "logger": "x", "data": {"level": "debug"}, "more": 1}]


async def test_log_messages_by_http_reach_the_client_whose_request_they_are_about(
    servers: Any, supervise: Any, caller: Any, start_remote: Any
) -> None:
    supervise()
    url = start_remote("rich.py", "streamable-http").url
    server = await servers.running(connection_type="streamable_http", url=url)
    logged: dict[str, list[Any]] = {"a": [], "b": []}
    exchanges = {
        name: replace(CLIENT, session=name, on_log=found.append, log_level="info")
        for name, found in logged.items()
    }
    await asyncio.gather(*(call(server, "note", each, text=name) for name, each in exchanges.items()))
    assert {name: [each["data"] for each in found] for name, found in logged.items()} == {
        "a": ["a"],
        "b": ["b"],
    }
    assert "_meta" not in logged["a"][0]


# --- the era of sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["form", "url", "sampling", "roots"])
async def test_a_call_waits_for_the_answer_to_its_question(asking: MCPTool, kind: str) -> None:
    required = await asked(asking, kinds=[kind])
    [(name, question)] = required.requests.items()
    assert question == QUESTIONS[kind]
    result = await call(asking, "ask", answered(required, **{name: ANSWERS[kind]}), kinds=[kind])
    assert [each["result"] for each in said(result)] == [ANSWERS[kind]]


async def test_a_call_asks_several_times(asking: MCPTool) -> None:
    first = await asked(asking, kinds=["form", "roots"])
    [name] = first.requests
    second = await asked(asking, answered(first, **{name: ANSWERS["form"]}), kinds=[])
    [name] = second.requests
    assert second.requests[name] == QUESTIONS["roots"]
    error = {"error": {"code": -32000, "message": "No"}}
    result = said(await call(asking, "ask", answered(second, **{name: error}), kinds=[]))
    assert result[0]["result"] == ANSWERS["form"]
    assert result[1]["error"] == error["error"]


async def test_questions_at_once_are_all_answered(asking: MCPTool) -> None:
    kinds = ["form", "sampling", "roots"]
    required = await asked(asking, kinds=kinds, at_once=True)
    seen: list[str] = []
    while True:
        methods = {name: each["method"] for name, each in required.requests.items()}
        seen += methods.values()
        kind_of = {QUESTIONS[kind]["method"]: kind for kind in kinds}
        answers = {name: ANSWERS[kind_of[method]] for name, method in methods.items()}
        result = await call(asking, "ask", answered(required, **answers), kinds=[])
        if not isinstance(result, InputRequired):
            break
        required = result
    assert [each["result"] for each in said(result)] == [ANSWERS[kind] for kind in kinds]
    assert len(seen) == 3


async def test_a_server_asks_so_many_questions_at_once(
    asking: MCPTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived: list[str] = []
    ask = AskingCall.ask

    async def counted(call: AskingCall, method: str, params: dict[str, Any]) -> dict[str, Any]:
        arrived.append(method)
        return await ask(call, method, params)

    monkeypatch.setattr(AskingCall, "ask", counted)
    first = await asked(asking, kinds=["form"] * 12, at_once=True)
    # An answer would make room for one that comes late.
    await wait_for(lambda: len(arrived) == 12)
    result: Any = await asked(asking, answered(first), kinds=[])
    assert len(result.requests) == 8
    while isinstance(result, InputRequired):
        given = dict.fromkeys(result.requests, ANSWERS["form"])
        result = await call(asking, "ask", answered(result, **given), kinds=[])
    assert sum("result" in each for each in said(result)) == 8


async def test_a_plain_http_url_is_refused_and_the_server_is_told(asking: MCPTool) -> None:
    [answer] = said(await call(asking, "ask", kinds=["http"]))
    assert answer["error"]["code"] == -32602
    of_forms = replace(CLIENT, session="of forms", capabilities={"elicitation": {}})
    [answer] = said(await call(asking, "ask", of_forms, kinds=["url"]))
    assert answer["error"]["code"] == -32602


async def test_a_call_that_waits_fails_when_its_server_restarts(asking: MCPTool, servers: Any) -> None:
    required = await asked(asking, kinds=["form"])
    await servers.act(actions.restart, asking)
    await wait_for(lambda: has_restarted(asking))
    with pytest.raises(CallFailed, match=r"its server was restarted|server ended while it waited"):
        await call(asking, "ask", answered(required), kinds=[])


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
@pytest.mark.usefixtures("older_era", "caller")
async def test_a_remote_server_asks_back(
    servers: Any, supervise: Any, start_remote: Any, transport: str
) -> None:
    supervise()
    kind = transport.replace("-", "_")
    path = "/sse" if kind == "sse" else "/mcp"
    url = start_remote("rich.py", transport, path=path).url
    server = await servers.running(connection_type=kind, url=url, asks_back=True)
    required = await call(server, "confirm")
    assert isinstance(required, InputRequired)
    [(name, question)] = required.requests.items()
    assert question["params"]["message"] == "Sure?"
    accepted = {"action": "accept", "content": {"sure": True}}
    result = await call(server, "confirm", answered(required, **{name: accepted}))
    assert isinstance(result, dict)
    assert result["content"][0]["text"] == "accept True"


async def test_a_call_that_waits_too_long_is_cancelled(
    asking: MCPTool, settings: Any, monkeypatch: Any
) -> None:
    settings.MCP_INPUT_TIMEOUT_S = 0.2
    monkeypatch.setattr("connector.lifecycle.asking.GRACE_S", 0.1)
    required = await asked(asking, kinds=["form"])

    async def is_cancelled() -> bool:
        return bool(said(await call(asking, "cancelled")) == 1)

    await wait_for(is_cancelled)
    with pytest.raises(CallFailed, match="waited too long"):
        await call(asking, "ask", answered(required), kinds=[])


async def test_a_caller_that_goes_during_a_later_round_cancels_the_call(asking: MCPTool) -> None:
    required = await asked(asking, kinds=["form"])
    waiting = asyncio.create_task(call(asking, "ask", answered(required, unknown=1), kinds=[]))
    again = await waiting
    assert again.requests == required.requests
    await requests.give_up(asking.pk, answered(again))

    async def is_cancelled() -> bool:
        return bool(said(await call(asking, "cancelled")) == 1)

    await wait_for(is_cancelled)
    running = asyncio.create_task(call(asking, "wait", timeout_s=60))
    await asyncio.sleep(1)
    running.cancel()

    async def both_are_cancelled() -> bool:
        return bool(said(await call(asking, "cancelled")) == 2)

    await wait_for(both_are_cancelled)


async def test_a_server_that_was_seen_asking_is_asked_for_from_then_on(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running(args=[str(SERVERS / "asking.py"), "bold"], name="bold")
    [answer] = said(await call(server, "ask", kinds=["form"]))
    assert answer["error"] == {
        "code": -32601, "message": "elicitation not supported", "data": "elicitation/create",
    }  # fmt: skip

    async def is_remembered() -> bool:
        return (await servers.row(server)).asked_back_at is not None

    await wait_for(is_remembered)

    async def asks() -> bool:
        return isinstance(await call(server, "ask", kinds=["form"]), InputRequired)

    await wait_for(asks)
