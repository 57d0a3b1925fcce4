"""Imports of `mcpServers` JSON by the API."""

from typing import Any

from rest_framework.test import APIClient

URL = "/api/v1/mcp-tools"


VS_CODE = {
    "inputs": [{"type": "promptString", "id": "key", "description": "Key", "password": True}],
    "servers": {
        "perplexity": {
            "type": "stdio",
            "command": "uvx",
            "args": ["server-perplexity"],
            "env": {"PERPLEXITY_API_KEY": "${input:key}"},
        },
        "remote": {
            "type": "http",
            "url": "https://93.184.216.34/mcp",
            "headers": {"X-Api-Key": "${input:key}"},
        },
    },
}


def imported(api: APIClient, body: Any) -> dict[str, dict[str, Any]]:
    response = api.post(f"{URL}/import", body, format="json")
    assert response.status_code == 201, response.content
    return {row["name"]: row for row in response.json()}


def parts(row: dict[str, Any], which: str) -> set[tuple[str, str]]:
    return {(part["field"], part["name"]) for part in row[which]}
