"""The product as a client meets it: over HTTP alone. Where it is, the environment says."""

import json
import os
import time
import uuid
from typing import Any
from urllib.request import Request, urlopen

ROOT_URL = os.environ["PRODUCT_URL"]
URL = f"{ROOT_URL}/v1"
KEY = os.environ["PRODUCT_KEY"]
LLM_URL = os.environ["LLM_URL"]
APPROVER_KEY = os.environ["APPROVER_KEY"]
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


def asking_assistant(approver: str, *steps: dict[str, Any]) -> str:
    """The slug of a new assistant, each of whose calls somebody must agree to."""
    slug = assistant(*steps)
    [row] = [each for each in _list("assistants") if each["slug"] == slug]
    rule = {"name": slug, "scope": "assistant", "assistant_id": row["id"], "then": "ask"}
    _send("POST", f"{ROOT_URL}/api/v1/rules", {**rule, "approver": approver})
    return slug


def waiting(slug: str) -> int:
    """The number of the approval that the assistant's call waits for, once it does."""
    for _ in range(200):
        for each in _list("approvals?state=waiting"):
            if each["assistant"]["slug"] == slug:
                return int(each["number"])
        time.sleep(0.05)
    raise AssertionError("Nothing waits.")


def decide(number: int, decision: str, **fields: Any) -> None:
    """Approves or rejects the call, as a person's program would."""
    _send("POST", f"{ROOT_URL}/api/v1/approvals/{number}/{decision}", fields, key=APPROVER_KEY)


def wait_until_done(number: int) -> None:
    for _ in range(600):
        if _send("GET", f"{ROOT_URL}/api/v1/approvals/{number}")["state"] == "done":
            return
        time.sleep(0.05)
    raise AssertionError("The call was not made.")


def asked(slug: str) -> list[list[dict[str, Any]]]:
    """The messages that the LLM was asked with, by round."""
    return [each["body"]["messages"] for each in _send("GET", f"{LLM_URL}/script/{slug}")["requests"]]


def shown(slug: str) -> list[str]:
    """The results of tools that the LLM was shown in the end."""
    return sorted(message["content"] for message in asked(slug)[-1] if message["role"] == "tool")


def _send(method: str, url: str, body: dict[str, Any] | None = None, *, key: str = KEY) -> dict[str, Any]:
    return dict(_loaded(method, url, body, key))


def _list(path: str) -> list[dict[str, Any]]:
    return list(_loaded("GET", f"{ROOT_URL}/api/v1/{path}", None, KEY))


def _loaded(method: str, url: str, body: dict[str, Any] | None, key: str) -> Any:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, headers, method=method), timeout=10) as response:
        return json.load(response)
