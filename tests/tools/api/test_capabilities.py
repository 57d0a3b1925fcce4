"""Resources and prompts of servers, over real requests."""

import pytest
from rest_framework.test import APIClient

from core.actor import Actor
from tools import actions, capabilities
from tools.models import MCPTool, Offer

BY = Actor.system("tests")
URL = "/api/v1/mcp-tools/memo"
MEMO = {"uri": "memo://today", "name": "today", "title": "Today", "mimeType": "text/plain", "size": 8}
OF = {"uriTemplate": "memo://{day}", "name": "of"}
GREET = {"name": "greet", "description": "Greet.", "arguments": [{"name": "whom", "required": True}]}


@pytest.fixture
def server(api: APIClient) -> MCPTool:
    return actions.register(by=BY, name="Memo", connection_type="stdio", command="mcp-server-time")


def record(server: MCPTool, *prompts: dict[str, object]) -> None:
    found = {Offer.Kind.RESOURCE: [MEMO], Offer.Kind.TEMPLATE: [OF], Offer.Kind.PROMPT: prompts}
    capabilities.record(server.pk, found)


def test_resources_and_templates_are_listed_together(api: APIClient, server: MCPTool) -> None:
    record(server)
    listed = api.get(f"{URL}/resources")
    assert listed.headers["X-Total-Count"] == "2"
    assert listed.json()[0] == {
        "uri": "memo://today",
        "is_template": False,
        "name": "today",
        "title": "Today",
        "description": "",
        "mime_type": "text/plain",
        "size": 8,
    }
    assert [(row["uri"], row["is_template"]) for row in listed.json()][1] == ("memo://{day}", True)


def test_prompts_are_listed_with_their_arguments(api: APIClient, server: MCPTool) -> None:
    record(server, GREET)
    [prompt] = api.get(f"{URL}/prompts").json()
    assert prompt["arguments"] == [{"name": "whom", "description": "", "required": True}]


def test_the_order_of_the_server_is_kept(api: APIClient, server: MCPTool) -> None:
    names = [f"prompt-{number}" for number in range(20, 0, -1)]
    record(server, *({"name": name} for name in names))
    stored = server.offers.filter(kind=Offer.Kind.PROMPT).order_by("pk")
    assert list(stored.values_list("identity", flat=True)) == names


def test_numbers_beyond_64_bits_are_stored(api: APIClient, server: MCPTool) -> None:
    record(server, GREET | {"_meta": {"most": 2**256}})
    assert server.offers.get(kind=Offer.Kind.PROMPT).definition["_meta"] == {"most": float(2**256)}


def test_removed_capabilities_are_deleted_and_unchanged_ones_not_written(
    api: APIClient, server: MCPTool, django_assert_num_queries: object
) -> None:
    record(server, GREET)
    before = set(Offer.objects.exclude(kind="prompt").values_list("pk", flat=True))
    record(server, {**GREET, "name": "other"}, {**GREET, "name": "other", "title": "The second of a name"})
    assert [row["name"] for row in api.get(f"{URL}/prompts").json()] == ["other"]
    assert set(Offer.objects.exclude(kind="prompt").values_list("pk", flat=True)) == before
    with django_assert_num_queries(4):  # type: ignore[operator]
        record(server, {**GREET, "name": "other"})


def test_capabilities_need_the_permission_to_manage(caller: APIClient, server: MCPTool) -> None:
    assert caller.get(f"{URL}/resources").status_code == 403
    assert caller.get(f"{URL}/prompts").status_code == 403


def test_the_capabilities_of_an_unknown_server_are_not_found(api: APIClient) -> None:
    assert api.get("/api/v1/mcp-tools/nothing/resources").status_code == 404
