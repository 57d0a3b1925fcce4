"""The product as a client meets it: over HTTP alone. Where it is, the environment says."""

import json
import os
import uuid
from typing import Any
from urllib.request import Request, urlopen

ROOT_URL = os.environ["PRODUCT_URL"]
URL = f"{ROOT_URL}/v1"
KEY = os.environ["PRODUCT_KEY"]
LLM_URL = os.environ["LLM_URL"]
SERVER_ID = int(os.environ["MCP_SERVER_ID"])
ECHO = {"name": "clients__echo", "arguments": {"say": "hi"}, "id": "call_ours"}
LOOK = {"name": "look", "arguments": {"at": "the sky"}, "id": "call_theirs"}


def assistant(*steps: dict[str, Any]) -> str:
    """The slug of a new assistant with the server's tools, whose LLM follows `steps`; without: the words."""
    slug = f"client-{uuid.uuid4().hex[:12]}"
    fields = {"name": slug, "slug": slug, "model": slug, "mcp_tool_ids": [SERVER_ID] if steps else []}
    me = _send("GET", f"{ROOT_URL}/api/v1/me")
    _send("POST", f"{ROOT_URL}/api/v1/assistants", {**fields, "api_key_ids": [me["id"]]})
    if steps:
        _send("PUT", f"{LLM_URL}/script/{slug}", {"steps": steps})
    return slug


def asked(slug: str) -> list[list[dict[str, Any]]]:
    """The messages that the LLM was asked with, by round."""
    return [each["body"]["messages"] for each in _send("GET", f"{LLM_URL}/script/{slug}")["requests"]]


def shown(slug: str) -> list[str]:
    """The results of tools that the LLM was shown in the end."""
    return sorted(message["content"] for message in asked(slug)[-1] if message["role"] == "tool")


def _send(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, headers, method=method), timeout=10) as response:
        return dict(json.load(response))
