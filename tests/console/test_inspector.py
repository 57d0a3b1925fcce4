"""The inspector and the connection test of a form, with real servers in the running product."""

import base64
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apikeys.models import AuditEntry
from connector.admin.inspected import MOST_CHARACTERS, parts_of_call, parts_of_resource
from connector.wire.results import CallResult
from tests.console.pages import BY
from tests.console.staff import member_of_stack
from tests.stack import SERVERS, Stack, wait_for
from tools import actions
from tools.functions import actions as function_actions
from tools.models import MCPTool, ToolFunction

PIXEL = base64.b64encode(b"\x89PNG pixel").decode()


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with member_of_stack(stack, "operator") as client:
        yield client


@pytest.fixture(scope="module")
def manager(stack: Stack) -> Iterator[httpx.Client]:
    with member_of_stack(stack, "manager") as client:
        yield client


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Inspected")


@pytest.fixture(scope="module")
def rich(stack: Stack) -> MCPTool:
    return stack.server("Rich inspected", args=[str(SERVERS / "rich.py"), "stdio"])


def tool(stack: Stack, server: MCPTool, name: str) -> ToolFunction:
    with stack.database():
        return ToolFunction.objects.get(server=server, name=name)


def inspect(client: httpx.Client, server: MCPTool, **body: Any) -> httpx.Response:
    return client.post(f"/admin/servers/{server.pk}/inspector/call/", json=body)


def call(client: httpx.Client, stack: Stack, server: MCPTool, name: str, arguments: Any, **more: Any) -> Any:
    body = {
        "kind": "tool",
        "id": tool(stack, server, name).pk,
        "arguments": arguments,
        "confirmed": True,
        **more,
    }
    return inspect(client, server, **body)


def test_a_tool_is_called_and_audited(operator: httpx.Client, stack: Stack, fake: MCPTool) -> None:
    answer = call(operator, stack, fake, "echo", {"secret-ish": "x"}).json()
    assert (answer["is_error"], answer["failure"]) == (False, "")
    assert answer["duration_ms"] >= 0
    part = answer["parts"][0]
    assert (part["kind"], '"secret-ish": "x"' in part["text"]) == ("json", True)
    with stack.database():
        entry = AuditEntry.objects.filter(action="called").latest("pk")
    assert (entry.object_kind, entry.object_id) == ("MCP server", fake.pk)
    assert entry.object_name.startswith("Inspected: ")
    assert entry.after == {"arguments": ["secret-ish"]}
    assert entry.actor_name.startswith("operator")


def test_a_tool_that_is_not_read_only_is_called_only_if_confirmed(
    operator: httpx.Client, stack: Stack, fake: MCPTool
) -> None:
    answer = call(operator, stack, fake, "echo", {}, confirmed=False)
    assert (answer.status_code, answer.json()["code"]) == (409, "confirm")
    with stack.database():
        ToolFunction.objects.filter(server=fake, name="echo").update(annotations={"readOnlyHint": True})
    assert call(operator, stack, fake, "echo", {}, confirmed=False).status_code == 200


def test_an_error_of_the_tool_is_told_plainly(operator: httpx.Client, stack: Stack, fake: MCPTool) -> None:
    answer = call(operator, stack, fake, "fail", {}).json()
    assert answer["is_error"] is True
    assert answer["parts"]


def test_arguments_that_do_not_fit_the_schema_do_not_reach_the_server(
    operator: httpx.Client, stack: Stack, fake: MCPTool
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with stack.database():
        ToolFunction.objects.filter(server=fake, name="fail").update(input_schema=schema)
        before = AuditEntry.objects.filter(action="called").count()
    answer = call(operator, stack, fake, "fail", {"n": "seven"})
    assert answer.status_code == 409
    assert "arguments.n: expected integer" in answer.json()["message"]
    with stack.database():
        ToolFunction.objects.filter(server=fake, name="fail").update(input_schema={"type": "object"})
        assert AuditEntry.objects.filter(action="called").count() == before


def test_a_call_obeys_what_a_chats_call_obeys(operator: httpx.Client, stack: Stack) -> None:
    server = stack.server("Obeying")
    function = tool(stack, server, "echo")
    with stack.database():
        actions.update(server, by=BY, approval="pinned")
        ToolFunction.objects.filter(pk=function.pk).update(approved_hash="")
    assert "awaits approval" in call(operator, stack, server, "echo", {}).json()["message"]
    with stack.database():
        function_actions.update(
            ToolFunction.objects.get(pk=function.pk), by=BY, approve=True, is_enabled=False
        )
    assert "disabled" in call(operator, stack, server, "echo", {}).json()["message"]
    with stack.database():
        actions.stop(server, by=BY)
    assert "stopped" in call(operator, stack, server, "echo", {}).json()["message"]


def test_a_call_is_cancelled_at_the_server_when_its_caller_leaves(
    operator: httpx.Client, stack: Stack, fake: MCPTool
) -> None:
    """The server counts the `notifications/cancelled` that it gets."""

    def cancelled() -> int:
        return int(call(operator, stack, fake, "cancelled", {}).json()["parts"][0]["text"])

    before, function = cancelled(), tool(stack, fake, "sleep")
    body = {"kind": "tool", "id": function.pk, "arguments": {"s": 30}, "confirmed": True}
    with pytest.raises(httpx.ReadTimeout):
        operator.post(f"/admin/servers/{fake.pk}/inspector/call/", json=body, timeout=1)
    wait_for(lambda: cancelled() == before + 1, within_s=10)


def test_a_prompt_and_resources_are_read(operator: httpx.Client, rich: MCPTool) -> None:
    prompt = inspect(operator, rich, kind="prompt", id="greet", arguments={"name": "Anna"}).json()
    assert "Anna" in prompt["parts"][0]["text"]
    text = inspect(operator, rich, kind="resource", id="", arguments={"uri": "memo://today"}).json()
    assert text["parts"][0]["title"] == "memo://today"
    picture = inspect(operator, rich, kind="resource", id="", arguments={"uri": "memo://picture"}).json()
    assert picture["parts"][0]["text"].startswith("data:image/png;base64,")
    missing = inspect(operator, rich, kind="resource", id="", arguments={"uri": "memo://none/at/all"}).json()
    assert missing["failure"]
    refused = inspect(operator, rich, kind="prompt", id="no such", arguments={})
    assert refused.status_code == 409


def test_the_page_lists_what_the_server_offers(operator: httpx.Client, stack: Stack, rich: MCPTool) -> None:
    page = operator.get(f"/admin/servers/{rich.pk}/inspector/", params={"prompt": "greet"}).text
    for expected in ("memo://today", "memo://of/{day}", "greet", 'id="inspector-data"'):
        assert expected in page


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"kind": "tool", "id": "x"}', b'{"kind": "tool", "id": 1, "arguments": []}', b"{}"],
)
def test_a_bad_request_is_told(operator: httpx.Client, fake: MCPTool, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = operator.post(f"/admin/servers/{fake.pk}/inspector/call/", content=body, headers=headers)
    assert answer.status_code in {400, 409}
    assert answer.json()["message"]


@pytest.mark.parametrize("group", ["viewer", "auditor"])
def test_who_may_not_call_tools_has_no_inspector(stack: Stack, fake: MCPTool, group: str) -> None:
    with member_of_stack(stack, group) as client:
        assert client.get(f"/admin/servers/{fake.pk}/inspector/").status_code == 403
        assert call(client, stack, fake, "echo", {}).status_code == 403
        assert "inspector" not in client.get(f"/admin/tools/mcptool/{fake.pk}/change/").text


# --- connection tests -----------------------------------------------------------------------------------


FORM = {"connection_type": "stdio", "command": sys.executable, "args": str(SERVERS / "fake.py")}


def test_a_form_is_tested_before_it_is_saved(manager: httpx.Client, stack: Stack) -> None:
    with stack.database():
        before = MCPTool.objects.count()
    answer = manager.post("/admin/servers/test/", data={**FORM, "start_timeout_s": "20"}).json()
    assert answer["ok"], answer
    assert "echo" in [each["name"] for each in answer["tools"]]
    with stack.database():
        assert MCPTool.objects.count() == before


def test_a_form_that_cannot_work_tells_the_cause_and_the_remedy(manager: httpx.Client) -> None:
    form = {**FORM, "args": "--no-such-option-\nx", "start_timeout_s": "20"}
    answer = manager.post("/admin/servers/test/", data=form).json()
    assert not answer["ok"]
    assert answer["message"]
    assert answer["remedy"]


def test_settings_that_may_not_be_saved_may_not_be_tested(manager: httpx.Client, fake: MCPTool) -> None:
    wrong = manager.post("/admin/servers/test/", data={**FORM, "command": "/bin/sh"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "Command")
    moved = {"connection_type": "sse", "url": "http://169.254.169.254/", "start_timeout_s": "5"}
    assert manager.post(f"/admin/servers/{fake.pk}/test/", data=moved).json()["errors"][0]["field"]


def test_a_registered_server_is_tested_with_its_stored_secrets(manager: httpx.Client, stack: Stack) -> None:
    server = stack.server("Tested", env={"KEPT": "stored-secret-value"})
    rows = {"env-name": ["KEPT"], "env-value": ["********"], "start_timeout_s": "20"}
    answer = manager.post(f"/admin/servers/{server.pk}/test/", data={**FORM, **rows}).json()
    assert answer["ok"], answer


def test_starting_processes_is_for_managers(operator: httpx.Client) -> None:
    assert operator.post("/admin/servers/test/", data=FORM).status_code == 403


# --- parts of a result ----------------------------------------------------------------------------------


def test_results_become_parts_that_a_page_can_show() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": '{"a": [1]}'},
        {"type": "text", "text": "\x1b[31mred\u202e"},
        {"type": "image", "mimeType": "image/png", "data": PIXEL},
        {"type": "image", "mimeType": "image/svg+xml", "data": PIXEL},
        {"type": "image", "mimeType": "image/png", "data": '"><script>'},
        {"type": "resource_link", "uri": "https://evil.example/x"},
        {"type": "resource", "resource": {"uri": "ui://app", "text": "<script>alert(1)</script>"}},
        {
            "type": "resource",
            "resource": {"uri": "x:y", "mimeType": "text/html; charset=utf-8", "text": "<b>"},
        },
        {"type": "audio", "mimeType": "audio/wav", "data": PIXEL},
        {"type": "newer", "x": 1},
    ]
    parts = parts_of_call(CallResult(blocks, {"n": 1}))
    kinds = [part["kind"] for part in parts]
    assert kinds == ["json", "text", "image", "text", "text", "text", "html", "html", "text", "json", "json"]
    assert parts[1]["text"] == "red<U+202E>"
    assert parts[5]["text"] == "https://evil.example/x"
    assert f" {len(base64.b64decode(PIXEL))} bytes" in parts[8]["text"]


def test_huge_results_are_cut() -> None:
    parts = parts_of_call(CallResult([{"type": "text", "text": "x" * 2_000_000}] * 300, None))
    assert len(parts) == 101
    assert len(parts[0]["text"]) < MOST_CHARACTERS + 100
    assert len(parts_of_resource({"uri": "ui://x", "text": "y" * 2_000_000})[0]["text"]) == MOST_CHARACTERS
