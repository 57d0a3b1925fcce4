"""Labels of servers and of tools over REST: set by staff, suggested by annotations, audited."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from core.actor import Actor
from tests.tools.conftest import fields_of
from tools import actions
from tools.functions import catalogue
from tools.hints import suggested_labels
from tools.models import MCPTool, ToolFunction

BY = Actor.system("tests")
SERVER, TOOL = "/api/v1/mcp-tools/time", "/api/v1/mcp-tools/time/functions/now"


@pytest.fixture
def server(api: APIClient) -> MCPTool:
    row = actions.register(by=BY, name="Time", connection_type="stdio", command="mcp-server-time")
    catalogue.record(row.pk, [{"name": "now", "inputSchema": {"type": "object"}}])
    return row


def test_labels_are_set_on_a_server_and_on_a_tool(api: APIClient, server: MCPTool) -> None:
    generation = server.generation
    changed = api.patch(SERVER, {"labels": ["reads_private"]}, format="json").json()
    assert (changed["labels"], changed["version"]) == (["reads_private"], server.version + 1)
    tool = api.patch(TOOL, {"labels": ["sends_out"]}, format="json").json()
    assert tool["labels"] == ["sends_out"]
    assert api.patch(TOOL, {"labels": []}, format="json").json()["labels"] == []
    assert api.patch(TOOL, {"is_enabled": True}, format="json").json()["labels"] == []
    assert api.patch(TOOL, {"labels": None}, format="json").json()["labels"] is None
    server.refresh_from_db()
    assert server.generation == generation  # it is not started anew
    entries = [entry.after for entry in AuditEntry.objects.filter(action="updated").order_by("id")]
    assert entries == [
        {"labels": ["reads_private"]},
        *({"labels": each} for each in (["sends_out"], [], None)),
    ]
    assert actions.duplicate(server, by=BY).labels == ["reads_private"]


@pytest.mark.parametrize(
    "labels", [["secret"], "sends_out", [1], [["sends_out"]], ["sends_out", "sends_out"]]
)
def test_other_labels_are_refused(api: APIClient, server: MCPTool, labels: Any) -> None:
    for path in (SERVER, TOOL):
        [field] = fields_of(api.patch(path, {"labels": labels}, format="json"))
        assert field.partition("[")[0] == "labels"
    assert MCPTool.objects.get().labels == []
    assert ToolFunction.objects.get().labels is None


@pytest.mark.parametrize(
    ("annotations", "labels"),
    [
        ({}, ["foreign_text", "sends_out"]),
        ({"readOnlyHint": True}, ["foreign_text"]),
        ({"openWorldHint": False}, []),
        ({"openWorldHint": False, "readOnlyHint": True}, []),
        ({"openWorldHint": "no"}, ["foreign_text", "sends_out"]),
    ],
)
def test_annotations_suggest_labels_and_set_none(
    api: APIClient, server: MCPTool, annotations: dict[str, Any], labels: list[str]
) -> None:
    assert suggested_labels(annotations) == labels
    tool = {"name": "now", "inputSchema": {"type": "object"}, "annotations": annotations}
    catalogue.record(server.pk, [tool])
    read = api.get(TOOL).json()
    assert (read["suggested_labels"], read["labels"]) == (labels, None)
