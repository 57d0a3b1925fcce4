"""The search of a selection, with the real index and embedder."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from apikeys import actions as key_actions
from apikeys.authentication import authenticate
from assistants import actions, catalogue
from assistants.actions.assistants import ToolUse
from assistants.catalogue.entries import AssistantEntry
from assistants.selection.search import Searcher, SearchResult
from core import feed
from core.actor import Actor
from core.database import DEADLINE_S
from tests.connector.conftest import orm
from tests.database import reconnect
from tests.tools.search.embedding_service import EmbeddingService, Reply, serving
from tools import actions as tool_actions
from tools.functions import catalogue as tool_catalogue
from tools.models import MCPTool, ToolFunction
from tools.search import index

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
WEATHER = {
    "current_weather": "Tells the temperature and the wind at a place now.",
    "forecast": "Tells the weather of the next seven days at a place.",
    "alerts": "Lists warnings of storms and floods.",
}
MAIL = {
    "send_email": "Sends a message to an address.",
    "search_inbox": "Finds messages by words, sender or date.",
}
FORECAST = "What will the weather be like in Brno in the next days?"


def _register(name: str, functions: dict[str, str]) -> MCPTool:
    server = tool_actions.register(by=BY, name=name, connection_type="stdio", command="uvx")
    schema = {"type": "object", "properties": {"place": {"type": "string"}}}
    definitions = [
        {"name": each, "description": text, "inputSchema": schema} for each, text in functions.items()
    ]
    tool_catalogue.record(server.pk, definitions)
    return server


@pytest.fixture
async def servers() -> AsyncIterator[tuple[MCPTool, MCPTool]]:
    async with feed.listening():
        yield await orm(_register)("Weather", WEATHER), await orm(_register)("Mail", MAIL)


async def assistant(*uses: MCPTool | ToolUse) -> AssistantEntry:
    issued = await orm(key_actions.issue)(by=BY, name="alice")
    await orm(actions.create)(
        by=BY, name="Helper", tools=uses, api_keys=[issued.api_key], selection="retrieved"
    )
    entry: AssistantEntry = await catalogue.find("helper", await authenticate(f"Bearer {issued.key}"))
    return entry


async def search(entry: AssistantEntry, query: str, *only: MCPTool) -> SearchResult:
    server_ids = [server.pk for server in only] or [server.id for server in entry.servers]
    return await Searcher(entry, server_ids).search(query, limit=50)


def names(result: SearchResult) -> list[str]:
    return [hit.function.name for hit in result.hits]


async def test_hits_are_ordered_by_score(servers: tuple[MCPTool, MCPTool]) -> None:
    await orm(index.work)(for_s=30)
    result = await search(await assistant(*servers), FORECAST)
    assert names(result)[0] == "forecast"
    assert (result.degraded, result.is_searched) == ("", True)
    scores: list[Any] = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)


async def test_neither_unavailable_servers_nor_functions_that_were_not_chosen_are_found(
    servers: tuple[MCPTool, MCPTool],
) -> None:
    weather, mail = servers
    await orm(index.work)(for_s=30)
    await orm(lambda: ToolFunction.objects.filter(name="alerts").update(is_enabled=False))()
    entry = await assistant(ToolUse(weather, functions=["forecast", "alerts"]), mail)
    assert set(names(await search(entry, FORECAST))) == {"forecast", *MAIL}
    assert set(names(await search(entry, FORECAST, mail))) == {*MAIL}


async def test_before_anything_is_indexed_tools_are_listed_by_name(servers: tuple[MCPTool, MCPTool]) -> None:
    result = await search(await assistant(*servers), FORECAST)
    assert names(result) == ["search_inbox", "send_email", "alerts", "current_weather", "forecast"]
    assert not result.is_searched
    assert result.degraded


@pytest.fixture
def service(settings: LazySettings) -> Iterator[EmbeddingService]:
    with serving() as service:
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = service.url, "remote"
        yield service


async def test_when_the_embedder_hangs_words_alone_are_searched(
    servers: tuple[MCPTool, MCPTool], service: EmbeddingService
) -> None:
    await orm(index.work)(for_s=30)
    entry = await assistant(*servers)
    service.next = [Reply(slowness=0.2, body=b" " * 100)]
    began = time.monotonic()
    result = await search(entry, "the weather forecast")
    assert 0.5 < time.monotonic() - began < 10
    assert names(result)[0] == "forecast"
    assert result.embedder == ""
    assert "did not answer" in result.degraded


@pytest.fixture
async def away() -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Makes the database unreachable until the end of the test."""
    settings = connection.settings_dict
    name = settings["NAME"]

    async def take_away() -> None:
        settings["NAME"] = "gone"
        await orm(reconnect)()

    yield take_away
    settings["NAME"] = name
    await orm(reconnect)()


async def test_without_the_database_tools_are_listed_by_name_before_a_query_would_be_given_up(
    servers: tuple[MCPTool, MCPTool], away: Callable[[], Awaitable[None]]
) -> None:
    entry = await assistant(*servers)
    await away()
    began = time.monotonic()
    result = await search(entry, FORECAST)
    assert time.monotonic() - began < DEADLINE_S
    assert names(result)[:2] == ["search_inbox", "send_email"]
    assert "database" in result.degraded
