"""Calls of a server that asks its client back."""

import json
from dataclasses import replace
from typing import Any

from connector.client import requests
from connector.client.requests import Exchange, InputRequired
from tools.models import MCPTool

ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": True}}


CLIENT = Exchange(capabilities=ALL, session="of a client", key_id=1)


ANSWERS = {
    "form": {"action": "accept", "content": {"name": "Ada"}},
    "url": {"action": "accept"},
    "sampling": {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"},
    "roots": {"roots": [{"uri": "file:///x"}]},
}


async def call(server: MCPTool, tool: str, exchange: Exchange = CLIENT, **options: Any) -> Any:
    timeout_s = options.pop("timeout_s", 30)
    params = {"name": tool, "arguments": options}
    return await requests.send(server.pk, "tools/call", params, timeout_s=timeout_s, exchange=exchange)


def said(result: Any) -> Any:
    assert isinstance(result, dict)
    return json.loads(result["content"][0]["text"])


async def asked(server: MCPTool, exchange: Exchange = CLIENT, **options: Any) -> InputRequired:
    result = await call(server, "ask", exchange, **options)
    assert isinstance(result, InputRequired)
    return result


def answered(required: InputRequired, exchange: Exchange = CLIENT, **responses: Any) -> Exchange:
    return replace(exchange, state=required.state, responses=responses)
