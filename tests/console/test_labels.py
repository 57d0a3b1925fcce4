"""Labels of servers and tools in the console: set by staff, suggested by annotations, filtered by."""

from typing import Any

import pytest
from django.test import Client

from tests.console.pages import SERVERS, errors_of, send
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db
TOOLS = "/admin/tools/toolfunction/"


def tool() -> ToolFunction:
    return ToolFunction.objects.get()


def save(client: Client, server: MCPTool, **fields: Any) -> Any:
    form = {"function": tool().pk, "is_enabled": "on", **fields}
    return client.post(f"{SERVERS}{server.pk}/tools/", form)


def listed(client: Client, label: str) -> bool:
    return "clock__now" in client.get(f"{TOOLS}?label={label}").content.decode()


def test_labels_of_a_server_are_those_of_its_tools(admin_client: Client, clock: MCPTool) -> None:
    fields = {"name": "Clock", "command": "python"}
    assert send(admin_client, SERVERS, clock, **fields, labels=["sends_out"]).status_code == 302
    clock.refresh_from_db()
    assert clock.labels == ["sends_out"]
    assert listed(admin_client, "sends_out")
    assert not listed(admin_client, "reads_private")
    assert errors_of(send(admin_client, SERVERS, clock, **fields, labels=["nothing"]))["labels"]
    send(admin_client, SERVERS, clock, **fields)
    clock.refresh_from_db()
    assert clock.labels == []


def test_a_tool_has_labels_of_its_own_or_those_of_its_server(admin_client: Client, clock: MCPTool) -> None:
    save(admin_client, clock, has_labels="yes", labels=["reads_private", "sends_out"])
    assert tool().labels == ["reads_private", "sends_out"]
    assert listed(admin_client, "reads_private")
    save(admin_client, clock, has_labels="yes")
    assert tool().labels == []
    save(admin_client, clock, has_labels="no", labels=["sends_out"])
    assert tool().labels is None
    save(admin_client, clock, has_labels="yes", labels=["nothing"])
    assert tool().labels is None


def test_annotations_suggest_labels(admin_client: Client, clock: MCPTool) -> None:
    schema = {"type": "object", "properties": {}}
    catalogue.record(
        clock.pk, [{"name": "now", "inputSchema": schema, "annotations": {"openWorldHint": False}}]
    )
    page = f"{SERVERS}{clock.pk}/tools/"
    assert "(suggested)" not in admin_client.get(page).content.decode()
    catalogue.record(clock.pk, [{"name": "now", "inputSchema": schema}])
    assert admin_client.get(page).content.decode().count("(suggested)") == 2
