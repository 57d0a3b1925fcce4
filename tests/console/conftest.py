from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from assistants import actions
from assistants.models import Assistant
from tests.console.pages import BY
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool


@pytest.fixture
def api(db: None) -> APIClient:
    """The management API, with a key that may manage."""
    issued = key_actions.issue(by=BY, name="api", can_manage=True)
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"})


@pytest.fixture
def clock(db: None) -> MCPTool:
    """A server that offers one function, `now`."""
    server = tool_actions.register(by=BY, name="Clock", connection_type="stdio", command="python")
    catalogue.record(server.pk, [{"name": "now", "inputSchema": {"type": "object", "properties": {}}}])
    return server


def fields_of(response: Any) -> dict[str, list[str]]:
    """The messages by field of a refusal by the management API."""
    assert response.status_code == 422, response.content
    return dict(response.json()["error"]["details"]["fields"])


@pytest.fixture
def helper(clock: MCPTool) -> Assistant:
    return actions.create(by=BY, name="Helper", slug="helper", tools=[clock])
