"""The number of queries of a request does not grow with the number of rows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from core.actor import Actor
from tests.queries import assert_queries, assert_same_queries
from tools import actions, capabilities
from tools.functions import catalogue
from tools.models import MCPTool, Offer

BY = Actor.system("tests")
URL = "/api/v1/mcp-tools"


def register(number: int) -> MCPTool:
    return actions.register(by=BY, name=f"Time {number}", connection_type="stdio", command="mcp-server-time")


def offer(server: MCPTool, count: int) -> None:
    """Stores this number of tools, resources and prompts of the server."""
    names = [f"tool-{number}" for number in range(count)]
    catalogue.record(server.pk, [{"name": name, "description": "Does it."} for name in names])
    resources = [{"uri": f"memo://{name}", "name": name} for name in names]
    prompts = [{"name": name} for name in names]
    capabilities.record(server.pk, {Offer.Kind.RESOURCE: resources, Offer.Kind.PROMPT: prompts})


@pytest.fixture
def request_of(api: APIClient) -> Callable[[str], Callable[[], Any]]:
    """Returns a function that makes a GET request to a path below `/mcp-tools`."""

    def request_of(path: str) -> Callable[[], Any]:
        def request() -> Any:
            response = api.get(f"{URL}{path}")
            assert response.status_code == 200
            return response

        return request

    return request_of


@pytest.mark.parametrize("path", ["", "/export", "/index"])
def test_lists_of_servers_take_as_many_queries_for_one_as_for_five(request_of: Any, path: str) -> None:
    offer(register(1), 1)

    def add_servers() -> None:
        for number in range(2, 6):
            offer(register(number), 5)

    assert_same_queries(request_of(path), after=add_servers)


@pytest.mark.parametrize("path", ["", "/functions", "/functions/tool-0", "/resources", "/prompts"])
def test_a_server_takes_as_many_queries_with_one_tool_as_with_five(request_of: Any, path: str) -> None:
    server = register(1)
    offer(server, 1)
    assert_same_queries(request_of(f"/{server.slug}{path}"), after=lambda: offer(server, 5))


def test_reading_takes_no_more_queries_than_it_needs(request_of: Any) -> None:
    """The key, the number of rows, and the rows; for parts of a server also the server."""
    server = register(1)
    offer(server, 5)
    for path, expected in (("", 3), (f"/{server.slug}", 2), (f"/{server.slug}/functions", 4)):
        request_of(path)()
        with assert_queries(expected):
            request_of(path)()


def test_vectors_are_not_read(request_of: Any) -> None:
    server = register(1)
    offer(server, 1)
    for path in ("", f"/{server.slug}", f"/{server.slug}/functions", f"/{server.slug}/functions/tool-0"):
        with CaptureQueriesContext(connection) as captured:
            request_of(path)()
        assert not [query["sql"] for query in captured if "embedding" in query["sql"]]
