from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from core.actor import Actor
from tools import actions as tool_actions
from tools.functions import catalogue as tool_catalogue
from tools.models import MCPTool

BY = Actor.system("tests")


class Client(APIClient):
    """Sends JSON under one key. Methods but `refused` require success and return the body."""

    def __init__(self, key: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {key}"})

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.post(f"/api/v1/{path}", body, format="json")
        assert response.status_code == 201, response.content
        return dict(response.json())

    def change(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.patch(f"/api/v1/{path}", body, format="json")
        assert response.status_code == 200, response.content
        return dict(response.json())

    def read(self, path: str, **query: Any) -> Any:
        response = self.get(f"/api/v1/{path}", query)
        assert response.status_code == 200, response.content
        return response.json()

    def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        response = getattr(self, method)(f"/api/v1/{path}", body, format="json", headers=headers)
        assert response.status_code >= 400, response.content
        assert response.json()["success"] is False
        return response.status_code, response.json()["error"]


@pytest.fixture
def manager(db: None) -> IssuedKey:
    return key_actions.issue(by=BY, name="manager", can_manage=True)


@pytest.fixture
def api(manager: IssuedKey) -> Client:
    return Client(manager.key)


def key(name: str, **fields: Any) -> IssuedKey:
    return key_actions.issue(by=BY, name=name, **fields)


def server(name: str, *functions: str, **fields: Any) -> MCPTool:
    row = tool_actions.register(by=BY, name=name, connection_type="stdio", command="uvx", **fields)
    schema = {"type": "object", "properties": {}}
    tool_catalogue.record(row.pk, [{"name": each, "inputSchema": schema} for each in functions])
    return row
