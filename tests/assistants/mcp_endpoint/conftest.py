"""A desk with two servers behind it, and clients who sit at it. It is made once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from apikeys.actions import IssuedKey
from tests.assistants.mcp_endpoint import till as tills
from tests.assistants.mcp_endpoint.clients import Caller
from tests.assistants.mcp_endpoint.till import Till
from tests.stack import SERVERS, Stack
from tools.models import MCPTool


@dataclass(frozen=True)
class Desk:
    """`key` may call the assistant `desk`, which uses both servers; `manager` may manage and calls nobody."""

    url: str
    key: IssuedKey
    manager: IssuedKey
    fake: MCPTool
    rich: MCPTool


@pytest.fixture(scope="session")
def desk(stack: Stack) -> Desk:
    fake = stack.server("Fake desk", "structured")
    rich = stack.server("Rich desk", args=[str(SERVERS / "rich.py"), "stdio"])
    key = stack.key("At the desk")
    manager = stack.key("Manages the desk", can_manage=True, can_call_assistant=False)
    stack.assistant("desk", fake, rich, keys=(key,))
    return Desk(stack.url, key, manager, fake, rich)


@pytest.fixture
def caller(desk: Desk) -> Iterator[Callable[..., Caller]]:
    """Returns a function that makes callers of a path."""
    made: list[Caller] = []

    def make(path: str = "/mcp", key: str | None = None, **headers: str) -> Caller:
        made.append(Caller(desk.url + path, desk.key.key if key is None else key, **headers))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


@pytest.fixture(scope="package")
def till(stack: Stack) -> Iterator[Till]:
    made = tills.opened(stack, "till")
    yield made
    tills.closed(made)
