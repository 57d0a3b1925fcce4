from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apikeys import actions as key_actions
from apikeys.authentication import Principal, authenticate
from assistants import actions
from assistants.models import Assistant
from assistants.routing import index
from core import feed
from core.actor import Actor
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool
from tools.search import index as tool_index

BY = Actor.system("tests")

CATALOGUE: dict[str, tuple[dict[str, str], dict[str, dict[str, str]]]] = {
    "cook": (
        {
            "description": "Recipes, shopping lists and substitutes.",
            "system_prompt": "You are a friendly cook.",
        },
        {
            "Recipes": {
                "search_recipes": "Find recipes by ingredients, diet or cuisine.",
                "substituteIngredient": "Suggest what can replace an ingredient.",
            },
            "Groceries": {"add_to_shopping_list": "Put an item on the shopping list."},
        },
    ),
    "clerk": (
        {"description": "", "system_prompt": "You help developers with repositories and builds. Be brief."},
        {
            "GitHub": {
                "list_pull_requests": "List the pull requests of a repository.",
                "create_issue": "Open a new issue in a repository.",
            },
            "CI": {"get_build_status": "Whether the last build of a branch passed."},
        },
    ),
    "travel": (
        {"description": "Books flights, trains and hotels for employees.", "system_prompt": ""},
        {
            "Flights": {"search_flights": "Find flights between two cities on a date."},
            "Hotels": {
                "search_hotels": "Find hotel rooms in a city.",
                "cancel_reservation": "Cancel a room.",
            },
        },
    ),
    "writer": (
        {"description": "Drafts, translates and corrects texts.", "system_prompt": "You write clear prose."},
        {},
    ),
}
"""By the slug of an assistant: its fields, and the functions of its servers with their descriptions."""


@pytest.fixture(autouse=True)
async def listening() -> AsyncIterator[None]:
    async with feed.listening():
        yield


def register(name: str, functions: dict[str, str]) -> MCPTool:
    server = tool_actions.register(by=BY, name=name, connection_type="stdio", command="uvx")
    schema = {"type": "object", "properties": {}}
    described = [
        {"name": name, "description": about, "inputSchema": schema} for name, about in functions.items()
    ]
    catalogue.record(server.pk, described)
    return server


def create(slug: str, servers: Iterable[MCPTool] = (), **fields: Any) -> Assistant:
    return actions.create(by=BY, name=slug.capitalize(), slug=slug, tools=list(servers), **fields)


@pytest.fixture
def assistants(db: None) -> dict[str, Assistant]:
    """The assistants of CATALOGUE by slug, not indexed yet."""
    return {
        slug: create(slug, [register(*server) for server in servers.items()], **fields)
        for slug, (fields, servers) in CATALOGUE.items()
    }


@pytest.fixture
def indexed(assistants: dict[str, Assistant]) -> dict[str, Assistant]:
    tool_index.work(for_s=30)
    assert index.refresh() == len(assistants)
    return assistants


@sync_to_async
def _issued(assistants: Iterable[Assistant], name: str) -> str:
    issued = key_actions.issue(by=BY, name=name)
    for assistant in assistants:
        actions.grant(assistant, issued.api_key)
    return issued.key


async def principal(assistants: Iterable[Assistant], name: str = "alice") -> Principal:
    """Returns the principal of a new key that may call these assistants."""
    return await authenticate(f"Bearer {await _issued(assistants, name)}")
