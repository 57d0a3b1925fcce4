import uuid
from typing import Any

import pytest

from apikeys.actions import IssuedKey
from tests.stack import Stack
from tools.models import MCPTool

ECHO: dict[str, Any] = {"name": "respondents__echo", "arguments": {"say": "hi"}}
LOOK: dict[str, Any] = {
    "type": "function",
    "name": "look",
    "description": "Looks.",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    "strict": False,
}


@pytest.fixture(scope="session")
def server(stack: Stack) -> MCPTool:
    return stack.server("Respondents")


@pytest.fixture
def equipped(stack: Stack, key: IssuedKey, server: MCPTool) -> str:
    """An assistant with a server."""
    slug = f"equipped-{uuid.uuid4().hex[:12]}"
    stack.assistant(slug, server, keys=(key,))
    return slug
