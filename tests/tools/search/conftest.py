"""Servers with functions, and an embedder that knows three topics, over real HTTP."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from pytest_django.fixtures import Settings

from core.actor import Actor
from tests.tools.search.embedding_service import EmbeddingService, Reply, serving, vectors
from tools import actions
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction
from tools.search import EVERYTHING, Found, Scope, index
from tools.search import search as find

BY = Actor.system("tests")
TOPICS = (("weather", "rain", "umbrella"), ("mail", "letter", "inbox"), ("file", "folder", "disk"))


def topical(body: dict[str, Any]) -> Reply:
    """A number for each topic: how many of its words a text has."""
    counted = [
        [float(sum(word in text.lower() for word in topic)) for topic in TOPICS] for text in body["input"]
    ]
    return vectors(*([*counts, 0.1] for counts in counted))


@pytest.fixture
def service() -> Iterator[EmbeddingService]:
    with serving() as service:
        service.reply = topical
        yield service


@pytest.fixture
def use(settings: Settings, service: EmbeddingService) -> Callable[[str], None]:
    """Have the product embed with this model of the stand-in."""

    def use(model: str) -> None:
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = service.url, model

    return use


@pytest.fixture
def embedder(use: Callable[[str], None], service: EmbeddingService) -> EmbeddingService:
    use("topical")
    return service


def register(name: str, **fields: Any) -> MCPTool:
    return actions.register(by=BY, name=name, connection_type="stdio", command="uvx", **fields)


def offer(server: MCPTool, **functions: str) -> None:
    """The functions that it has from now on, with their descriptions."""
    catalogue.record(
        server.pk,
        [
            {"name": name, "description": text, "inputSchema": {"type": "object"}}
            for name, text in functions.items()
        ],
    )


def function(name: str) -> ToolFunction:
    return ToolFunction.objects.get(name=name)


def index_all() -> None:
    while index.work(for_s=60):
        pass


def search(query: str | Sequence[str], scope: Scope = EVERYTHING, *, limit: int = 10) -> Found:
    return async_to_sync(find)(query, scope, limit=limit)


def names(found: Found) -> list[str]:
    return [hit.function for hit in found.hits]


def asked(service: EmbeddingService) -> list[str]:
    """Every text that was to be embedded."""
    return [text for body in service.bodies for text in body["input"]]


@pytest.fixture
def servers(embedder: EmbeddingService) -> dict[str, MCPTool]:
    clouds, post, disk = register("Clouds"), register("Post"), register("Disk")
    offer(clouds, forecast="Tells whether it will rain: the weather", wind="Speed and direction of the air")
    offer(post, send="Sends mail", read="Reads a letter in the inbox")
    offer(disk, remove="Removes a file", list="Lists a folder")
    index_all()
    embedder.bodies.clear()
    return {"clouds": clouds, "post": post, "disk": disk}
