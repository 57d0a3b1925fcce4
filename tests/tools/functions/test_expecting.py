"""Tools that staff speak of before their server lists them."""

import pytest

from apikeys.models import OutboxEvent
from assistants.models import Webhook
from core.actor import Actor
from tools import actions as server_actions
from tools.functions import actions, catalogue
from tools.functions.expecting import approve_expected, expect
from tools.models import Approval, MCPTool, ToolFunction

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")


def definition(name: str, description: str = "Reads.") -> dict[str, object]:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": {}}}


@pytest.fixture(params=[Approval.AUTO, Approval.PINNED])
def server(request: pytest.FixtureRequest) -> MCPTool:
    return server_actions.register(
        by=BY, name="Files", connection_type="stdio", command="npx", approval=request.param
    )


def test_they_are_not_offered_before_and_have_their_settings_after(server: MCPTool) -> None:
    Webhook.objects.create(name="pager", url="https://1.1.1.1/x", events=["tool.changed"])
    tool = expect(server, "write", by=BY)
    actions.update(tool, by=BY, is_enabled=False)
    expect(server, "read", by=BY)
    assert not ToolFunction.objects.offered().exists()

    catalogue.record(server.pk, [definition("read"), definition("write"), definition("new")])

    assert sorted(ToolFunction.objects.offered().values_list("name", flat=True)) == ["new", "read"]
    assert {each.approval for each in ToolFunction.objects.all()} == {"approved"}
    assert not OutboxEvent.objects.exists()


def test_of_a_pinned_server_the_named_definition_is_approved_and_no_other(server: MCPTool) -> None:
    approved = catalogue.definition_hash(definition("read"))
    for name in ("read", "write"):
        approve_expected(expect(server, name, by=BY), approved, by=BY)

    catalogue.record(server.pk, [definition("read"), definition("write")])

    offered = sorted(ToolFunction.objects.offered().values_list("name", flat=True))
    assert offered == (["read"] if server.approval == Approval.PINNED else ["read", "write"])


def test_one_that_comes_with_a_later_listing_of_a_pinned_server_waits(server: MCPTool) -> None:
    catalogue.record(server.pk, [definition("read")])
    expect(server, "write", by=BY)

    catalogue.record(server.pk, [definition("read"), definition("write")])

    waits = server.approval == Approval.PINNED
    assert ToolFunction.objects.offered().filter(name="write").exists() != waits
