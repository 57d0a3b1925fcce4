"""Clients in worlds of their own: nothing of them is imported here, and nothing of the product there."""

import pytest

from tests.clients.worlds import Node, Python, Shell, World
from tests.stack import Stack

collect_ignore = ["python", "node"]


@pytest.fixture(scope="session")
def environment(stack: Stack) -> dict[str, str]:
    """Where a client finds the product, a key that may also manage it and one that may approve, a server, and
    the LLM's script.
    """
    return {
        "PRODUCT_URL": stack.url,
        "PRODUCT_KEY": stack.key("clients", can_manage=True).key,
        "APPROVER_KEY": stack.key("clients' approver", can_approve=True).key,
        "MCP_SERVER_ID": str(stack.server("Clients").pk),
        "LLM_URL": stack.llm.url,
    }


@pytest.fixture(scope="session")
def python(environment: dict[str, str]) -> World:
    return made(Python, environment)


@pytest.fixture(scope="session")
def node(environment: dict[str, str]) -> World:
    return made(Node, environment)


@pytest.fixture(scope="session")
def shell(environment: dict[str, str]) -> World:
    return made(Shell, environment)


def made(world: type[World], environment: dict[str, str]) -> World:
    """Skips the test where the world cannot be on this machine."""
    if (reason := world.missing()) is not None:
        pytest.skip(reason)
    return world(environment)
