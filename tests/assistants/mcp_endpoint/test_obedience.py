"""A call over MCP obeys what a chat's call obeys: limits, the switch of a tool, approval, the record."""

from collections.abc import Callable

from assistants.models import Run
from tests.assistants.mcp_endpoint.clients import Caller
from tests.assistants.mcp_endpoint.conftest import Desk
from tests.stack import BY, Stack, wait_for
from tools import actions
from tools.functions import actions as functions
from tools.models import MCPTool, ToolFunction

Callers = Callable[..., Caller]


def test_a_call_is_on_the_record(stack: Stack, desk: Desk, caller: Callers) -> None:
    client = caller()
    client.initialize()
    answer = client.request("tools/call", name="fake-desk__fail", arguments={})
    assert answer.json()["result"]["isError"] is True
    request_id = answer.headers["x-request-id"]
    with stack.database():
        wait_for(lambda: Run.objects.filter(request_id=request_id).exists(), within_s=30)
        run = Run.objects.get(request_id=request_id)
        (call,) = run.tool_calls.all()
    assert (run.kind, run.status, run.api_key_name, run.assistant_slug) == (
        "mcp",
        "completed",
        "At the desk",
        "desk",
    )
    assert (call.server, call.function, call.status, call.error) == (
        "Fake desk",
        "fail",
        "error",
        "tool_error",
    )
    assert call.arguments is None


def test_calls_count_in_the_limits_of_a_key_and_lists_do_not(
    stack: Stack, desk: Desk, caller: Callers
) -> None:
    key = stack.key("Two a minute", requests_per_minute=2)
    stack.assistant("limited", desk.fake, keys=(key,))
    client = caller(key=key.key)
    client.initialize()
    for _ in range(5):
        assert client.request("tools/list").status_code == 200
    for _ in range(2):
        assert "result" in client.request("tools/call", name="fake-desk__echo", arguments={}).json()
    refused = client.request("tools/call", name="fake-desk__echo", arguments={})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert "2" in refused.json()["error"]["message"]
    assert refused.json()["id"] == 1


def test_a_tool_that_was_switched_off_is_gone(stack: Stack, desk: Desk, caller: Callers) -> None:
    client = caller("/mcp/s/fake-desk", key=desk.manager.key)
    client.initialize()
    names = {tool["name"] for tool in client.request("tools/list").json()["result"]["tools"]}
    assert "listings" in names
    with stack.database():
        tool = ToolFunction.objects.get(server=desk.fake.pk, name="listings")
        functions.update(tool, by=BY, is_enabled=False)

    def listed() -> set[str]:
        return {tool["name"] for tool in client.request("tools/list").json()["result"]["tools"]}

    wait_for(lambda: "listings" not in listed(), within_s=30)
    assert "error" in client.request("tools/call", name="listings", arguments={}).json()


def test_a_stopped_server_says_so_to_the_model(stack: Stack, desk: Desk, caller: Callers) -> None:
    server = stack.server("Stopped desk")
    client = caller("/mcp/s/stopped-desk", key=desk.manager.key)
    client.initialize()
    with stack.database():
        actions.stop(MCPTool.objects.get(pk=server.pk), by=BY)
    stack.wait_for_status(server, "stopped")
    result = client.request("tools/call", name="echo", arguments={}).json()["result"]
    assert result["isError"] is True
    assert "stopped" in result["content"][0]["text"]
