"""The pages of a server: its tools, its instances, its uptime."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from assistants.models import Run, ToolCall
from connector.models import Instance, StateChange, Worker
from tests.console.pages import BY, messages_of
from tests.console.test_servers import member
from tools import actions
from tools.functions import catalogue
from tools.models import Approval, MCPTool

pytestmark = pytest.mark.django_db
HOSTILE = '</td><script>alert(1)</script>\u202e\x1b[31m{{ 7 }} x-data="evil()"'


@pytest.fixture
def pinned(db: None) -> MCPTool:
    """A server that withholds changed definitions, one of whose tools has changed to a hostile one."""
    server = actions.register(
        by=BY, name="Pinned", connection_type="stdio", command="python", approval=Approval.PINNED
    )
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    catalogue.record(server.pk, [{"name": "f", "description": "Before", "inputSchema": schema}])
    catalogue.record(server.pk, [{"name": "f", "description": HOSTILE, "inputSchema": schema}])
    return server


def tools_page(server: MCPTool) -> str:
    return f"/admin/tools/mcptool/{server.pk}/tools/"


def approved(server: MCPTool) -> MCPTool:
    """Approves the tool as it is, and has its definition change."""
    function = server.functions.get()
    type(function).objects.update(approved_hash=function.definition_hash, replaced=None)
    catalogue.record(
        server.pk, [{"name": "f", "description": f"{HOSTILE} 2", "inputSchema": {"type": "object"}}]
    )
    return server


def test_a_changed_definition_is_shown_side_by_side_and_approved(
    admin_client: Client, pinned: MCPTool
) -> None:
    approved(pinned)
    page = admin_client.get(tools_page(pinned)).content.decode()
    assert "Before" in page
    assert 'class="removed"' in page
    assert 'class="added"' in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    function = pinned.functions.get()
    fields = {"function": function.pk, "seen": function.definition_hash, "do": "approve"}
    told = admin_client.post(tools_page(pinned), fields, follow=True)
    assert "is approved" in messages_of(told)
    assert pinned.functions.get().approval == "approved"


def test_a_definition_that_changed_once_more_is_not_approved(admin_client: Client, pinned: MCPTool) -> None:
    function = approved(pinned).functions.get()
    fields = {"function": function.pk, "seen": "another", "do": "approve"}
    assert "changed once more" in messages_of(admin_client.post(tools_page(pinned), fields, follow=True))
    assert pinned.functions.get().approval == "changed"


def test_a_refused_definition_is_offered_to_nobody(admin_client: Client, pinned: MCPTool) -> None:
    function = approved(pinned).functions.get()
    fields = {"function": function.pk, "seen": function.definition_hash, "do": "refuse"}
    admin_client.post(tools_page(pinned), fields)
    assert not pinned.functions.get().is_enabled


def test_a_tool_is_renamed_described_and_disabled(admin_client: Client, clock: MCPTool) -> None:
    function = clock.functions.get()
    fields = {"function": function.pk, "name": "what_time", "description": "Tells the time."}
    told = admin_client.post(tools_page(clock), fields, follow=True)
    assert "what_time" in messages_of(told)
    function.refresh_from_db()
    assert function.overrides == {"name": "what_time", "description": "Tells the time."}
    assert not function.is_enabled
    wrong = admin_client.post(tools_page(clock), {**fields, "name": "x" * 200}, follow=True)
    assert "up to 128 characters" in messages_of(wrong)


@pytest.mark.parametrize("group", ["viewer", "auditor", "operator"])
def test_tools_are_changed_by_managers_alone(client: Client, clock: MCPTool, group: str) -> None:
    member(group, client)
    page = client.get(tools_page(clock))
    assert page.status_code == 200
    assert 'name="is_enabled"' not in page.content.decode()
    assert client.post(tools_page(clock), {"function": clock.functions.get().pk}).status_code == 403
    assert clock.functions.get().is_enabled


@pytest.mark.parametrize("function", ["", "x", "9" * 40, "-1", "\0"])
def test_a_tool_that_is_not_the_servers_is_not_found(
    admin_client: Client, clock: MCPTool, function: str
) -> None:
    assert admin_client.post(tools_page(clock), {"function": function}).status_code == 404


def test_instances_show_their_owner_and_their_standard_error(client: Client, clock: MCPTool) -> None:
    worker = Worker.objects.create(name="w", node="node-1", host_id="h", socket="/s")
    Instance.objects.create(
        server=clock, worker=worker, phase="ready", pid=4321, restarts=2, stderr_tail=f"{HOSTILE}\nlast line"
    )
    address = f"/admin/servers/{clock.pk}/instances/"
    page = member("viewer", client).get(address).content.decode()
    for expected in ("node-1", "4321", "Ready", "last line"):
        assert expected in page
    assert "<script>alert" not in page
    assert "\x1b" not in page


def test_the_page_of_an_instance_leaves_out_what_has_not_happened(
    admin_client: Client, clock: MCPTool
) -> None:
    instance = Instance.objects.create(server=clock, phase="ready", last_exit={"code": 1})
    page = admin_client.get(f"/admin/connector/instance/{instance.pk}/change/").content.decode()
    assert "Last exit" in page
    assert ">null" not in page


def test_the_live_part_of_instances_is_sent_again_only_if_it_has_changed(
    admin_client: Client, clock: MCPTool
) -> None:
    Instance.objects.create(server=clock, phase="ready", stderr_tail="first")
    address = f"/admin/servers/{clock.pk}/instances/?live"
    first = admin_client.get(address)
    assert "<html" not in first.content.decode()
    again = admin_client.get(address, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Instance.objects.update(stderr_tail="second")
    changed = admin_client.get(address, headers={"if-none-match": first.headers["ETag"]})
    assert "second" in changed.content.decode()


def test_uptime_tells_each_segment_and_the_outages(admin_client: Client, clock: MCPTool) -> None:
    now = timezone.now()
    StateChange.objects.filter(server=clock).delete()
    for ago, status in (
        (timedelta(days=2), "running"),
        (timedelta(hours=6), "error"),
        (timedelta(hours=3), "running"),
    ):
        StateChange.objects.create(server=clock, status=status, at=now - ago, error={"message": HOSTILE})
    page = admin_client.get(f"/admin/servers/{clock.pk}/uptime/")
    assert "&amp;lt;" not in page.content.decode()
    day, quarter = page.context["periods"]
    colors = [item["color"] for item in day["data"]]
    assert (colors[0], colors[-1], len(colors), len(quarter["data"])) == ("track-up", "track-up", 48, 90)
    assert 5 <= colors.count("track-down") <= 7
    assert (day["availability"], day["outages"]) == ("87.5 %", 1)
    assert [item["color"] for item in quarter["data"]].count("track-none") >= 86
    assert "<script>alert" not in page.content.decode()


def test_calls_are_listed_with_their_outcome_and_without_their_texts(client: Client, clock: MCPTool) -> None:
    run = Run.objects.create(run_id="run_1", started_at=timezone.now(), assistant_slug="helper")
    for position in range(60):
        ToolCall.objects.create(
            run=run, position=position, mcp_tool=clock, server="Clock", function=f"now{position}<b>",
            status="error", error="tool_timeout", duration_ms=7, arguments={"a": "canary"}, result="canary",
        )  # fmt: skip
    member("viewer", client)
    address = f"/admin/servers/{clock.pk}/calls/"
    page = client.get(address)
    text = page.content.decode()
    for expected in ("now59&lt;b&gt;", "now10", "tool_timeout", "helper"):
        assert expected in text
    assert "now9&lt;" not in text
    assert "canary" not in text
    older = client.get(f"{address}?before={page.context['next_before']}").content.decode()
    assert "now9&lt;" in older
    assert client.get(f"{address}?before=x").status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        "servers/{}/instances/",
        "servers/{}/uptime/",
        "servers/{}/calls/",
        "servers/{}/inspector/",
        "tools/mcptool/{}/tools/",
    ],
)
@pytest.mark.parametrize("pk", [0, 10**30])
def test_pages_of_no_server_are_not_found(admin_client: Client, page: str, pk: int) -> None:
    assert admin_client.get(f"/admin/{page.format(pk)}").status_code == 404
