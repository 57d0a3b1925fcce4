"""What a client of either era sees and does, by the official SDK."""

import pytest
from mcp import MCPError
from mcp.types import TextContent, TextResourceContents

from tests.assistants.mcp_endpoint.clients import ERAS, connected
from tests.assistants.mcp_endpoint.conftest import Desk

pytestmark = pytest.mark.parametrize("era", ERAS)


async def test_tools_of_all_servers_are_listed_under_public_names(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp", desk.key.key, era=era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert {"fake-desk__echo", "rich-desk__grow"} <= set(names)
    assert names == sorted(names)


async def test_a_tool_has_all_that_its_server_says_of_it(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp/a/desk", desk.key.key, era=era) as client:
        tool = {each.name: each for each in (await client.list_tools()).tools}["fake-desk__weigh"]
    assert tool.title == "Scales"
    assert tool.output_schema is not None
    assert tool.output_schema["required"] == ["grams"]
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is True
    assert tool.icons is not None
    assert tool.icons[0].src == "https://example.com/scales.png"
    assert tool.meta == {"example.com/shelf": 3}


async def test_a_server_by_itself_has_its_own_names(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp/s/rich-desk", desk.manager.key, era=era) as client:
        assert "grow" in [tool.name for tool in (await client.list_tools()).tools]
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == ["greet"]
        greeted = await client.get_prompt("greet", {"name": "Ada"})
        assert "Ada" in str(greeted.messages[0].content)


async def test_a_call_reaches_the_tool_and_is_answered_with_its_result(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp", desk.key.key, era=era) as client:
        result = await client.call_tool("fake-desk__weigh", {"thing": "apple", "times": 2})
    assert result.structured_content is not None
    assert "grams" in result.structured_content
    assert not result.is_error


async def test_wrong_arguments_are_a_result_that_says_what_is_wrong(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp", desk.key.key, era=era) as client:
        result = await client.call_tool("fake-desk__weigh", {"times": "many"})
    assert result.is_error
    assert isinstance(result.content[0], TextContent)
    assert "arguments.thing" in result.content[0].text


async def test_an_unknown_tool_is_an_error_of_the_protocol(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp", desk.key.key, era=era) as client:
        with pytest.raises(MCPError, match="no-such-tool") as raised:
            await client.call_tool("no-such-tool", {})
    assert raised.value.code == -32602


async def test_resources_are_read_by_their_own_uris(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp/a/desk", desk.key.key, era=era) as client:
        assert "memo://today" in [str(each.uri) for each in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == ["memo://of/{day}"]
        listed = (await client.read_resource("memo://today")).contents[0]
        made = (await client.read_resource("memo://of/monday")).contents[0]
    assert isinstance(listed, TextResourceContents)
    assert listed.text == "buy milk"
    assert isinstance(made, TextResourceContents)
    assert made.text == "nothing on monday"


async def test_an_unknown_resource_is_an_error_that_names_it(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp/a/desk", desk.key.key, era=era) as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource("memo://nowhere/at/all")
    assert raised.value.code == (-32002 if era == "legacy" else -32602)
    assert raised.value.error.data == {"uri": "memo://nowhere/at/all"}


async def test_a_prompt_has_the_name_of_its_server_before_its_own(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp", desk.key.key, era=era) as client:
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        greeted = await client.get_prompt("rich-desk__greet", {"name": "Ada"})
    assert names == ["rich-desk__greet"]
    assert "Ada" in str(greeted.messages[0].content)


async def test_the_server_behind_does_not_show(desk: Desk, era: str) -> None:
    async with connected(f"{desk.url}/mcp/s/rich-desk", desk.manager.key, era=era) as client:
        assert client.server_info is not None
        assert client.server_info.name == "mcp-connector"
