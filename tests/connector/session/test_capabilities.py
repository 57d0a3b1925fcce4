"""Resources, templates and prompts in both eras of the protocol: listed, updated, read."""

from typing import Any

import pytest

from connector.client import calls
from connector.errors import CallFailed
from tests.connector.conftest import SERVERS, orm, wait_for
from tools import actions
from tools.models import MCPTool, Offer, Status, ToolFunction


@pytest.fixture(params=["stdio-older", "stdio", "streamable_http"])
async def rich(request: Any, servers: Any, supervise: Any) -> MCPTool:
    if request.param == "stdio-older":
        request.getfixturevalue("older_era")
    supervise()
    if request.param == "streamable_http":
        url = request.getfixturevalue("start_remote")("rich.py", "streamable-http").url
        server: MCPTool = await servers.running(connection_type="streamable_http", url=url)
    else:
        server = await servers.running(args=[str(SERVERS / "rich.py"), "stdio"])
    is_older = (await servers.instance(server)).protocol_version < "2026"
    assert is_older == (request.param == "stdio-older")
    await wait_for(lambda: offered(server, Offer.Kind.PROMPT))
    return server


async def offered(server: MCPTool, kind: Offer.Kind) -> set[str]:
    rows = Offer.objects.filter(server=server, kind=kind).values_list("identity", flat=True)
    return {identity async for identity in rows}


async def test_resources_templates_and_prompts_are_in_the_catalogue(rich: MCPTool) -> None:
    assert await offered(rich, Offer.Kind.RESOURCE) == {"memo://today", "memo://picture"}
    assert await offered(rich, Offer.Kind.TEMPLATE) == {"memo://of/{day}"}
    assert await offered(rich, Offer.Kind.PROMPT) == {"greet"}
    today = await Offer.objects.aget(server=rich, identity="memo://today")
    assert (today.definition["title"], today.definition["mimeType"]) == ("Today", "text/plain")
    greet = await Offer.objects.aget(server=rich, identity="greet")
    assert [each["name"] for each in greet.definition["arguments"]] == ["name", "tone"]


async def test_a_change_of_any_list_is_noticed(rich: MCPTool, caller: Any) -> None:
    before = await Offer.objects.aget(server=rich, identity="memo://today")
    await caller(rich, "grow")

    async def noticed() -> bool:
        has_tool = await ToolFunction.objects.filter(server=rich, name="shrink").aexists()
        resources, prompts = [await offered(rich, kind) for kind in (Offer.Kind.RESOURCE, Offer.Kind.PROMPT)]
        return has_tool and "memo://new" in resources and "again" in prompts

    await wait_for(noticed, within_s=20)
    assert await Offer.objects.aget(server=rich, identity="memo://today") == before


async def test_a_resource_is_read(rich: MCPTool, caller: Any) -> None:
    [text] = await calls.read_resource(rich.pk, "memo://today", timeout_s=5)
    assert (text["uri"], text["text"], text["mimeType"]) == ("memo://today", "buy milk", "text/plain")
    [blob] = await calls.read_resource(rich.pk, "memo://picture", timeout_s=5)
    assert blob["blob"] == "iVBORw=="
    [made] = await calls.read_resource(rich.pk, "memo://of/monday", timeout_s=5)
    assert made["text"] == "nothing on monday"


async def test_a_prompt_is_rendered(rich: MCPTool, caller: Any) -> None:
    prompt = await calls.get_prompt(rich.pk, "greet", {"name": "Ada"}, timeout_s=5)
    assert prompt.description == "Greet somebody."
    [message] = prompt.messages
    assert (message["role"], message["content"]["text"]) == ("user", "Greet Ada in a kind tone.")


async def test_an_unknown_resource_or_prompt_is_not_found(rich: MCPTool, caller: Any) -> None:
    for reading in (
        calls.read_resource(rich.pk, "memo://nowhere", timeout_s=5),
        calls.get_prompt(rich.pk, "nothing", {}, timeout_s=5),
    ):
        with pytest.raises(CallFailed) as failed:
            await reading
        assert failed.value.code in {"not_found", "refused"}


async def test_a_server_without_resources_is_not_asked_for_any(
    servers: Any, supervise: Any, caller: Any
) -> None:
    supervise()
    server = await servers.running()
    assert (await caller(server, "echo")).content
    assert not await orm(Offer.objects.filter(server=server).exists)()
    with pytest.raises(CallFailed) as failed:
        await calls.read_resource(server.pk, "memo://today", timeout_s=5)
    assert failed.value.code == "not_found"


async def test_the_capabilities_of_a_deleted_server_are_deleted(rich: MCPTool, servers: Any) -> None:
    await servers.act(actions.delete, rich)
    assert not await orm(Offer.objects.filter(server=rich).exists)()
    assert (await servers.row(rich)).status in {Status.RUNNING, Status.STOPPED}
