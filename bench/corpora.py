"""Loads a tool retrieval set as MCP servers and assistants.

The set is a folder with files `corpus_NAME.jsonl` of one tool a line, with `id`, `server`, `server_id`,
`server_description`, `tool`, `description`, `input_schema` and `source`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from assistants import actions as assistant_actions
from core.actor import Actor
from tools import actions
from tools.functions import catalogue
from tools.models import MCPTool

BY = Actor.system("bench")
Tool = dict[str, Any]


def load(folder: Path, corpus: str, *, parts: Sequence[str] = ()) -> dict[str, str]:
    """Registers a corpus. Returns slugs of assistants by what they use: it, or a `NAME:SOURCE` part."""
    tools = _read(folder / f"corpus_{corpus}.jsonl")
    servers = _record(tools)
    held = {corpus: set(servers), **{part: _from(part.partition(":")[2], tools) for part in parts}}
    return {name: _assistant(name, [servers[one] for one in sorted(ids)]) for name, ids in held.items()}


def _from(source: str, tools: list[Tool]) -> set[str]:
    return {tool["server_id"] for tool in tools if tool["source"] == source}


def _read(path: Path) -> list[Tool]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _record(tools: list[Tool]) -> dict[str, MCPTool]:
    by_server: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        by_server[tool["server_id"]].append(tool)
    return {server_id: _server(server_id, of_server) for server_id, of_server in by_server.items()}


def _server(server_id: str, tools: list[Tool]) -> MCPTool:
    server = actions.register(
        by=BY,
        name=_name(tools[0]["server"]),
        slug=slug(server_id),
        description=tools[0]["server_description"] or "",
        connection_type="stdio",
        command="python",
        is_enabled=False,
    )
    catalogue.record(server.pk, [_definition(tool) for tool in tools])
    return server


def slug(server_id: str) -> str:
    """Returns a slug that differs from an ASCII `server_id` in punctuation and case alone."""
    return re.sub(r"[^a-z0-9]+", "-", server_id.lower()).strip("-")[:63]


def _name(name: str) -> str:
    """Returns a free name, such as `fetch (2)`: in a corpus, servers may share a name."""
    names = (f"{name} ({number})" if number > 1 else name for number in count(1))
    taken = MCPTool.objects.present()
    return next(name for name in names if not taken.filter(name__iexact=name).exists())


def _definition(tool: Tool) -> Tool:
    return {
        "name": tool["tool"],
        "description": tool["description"] or "",
        "inputSchema": tool["input_schema"] or {"type": "object", "properties": {}},
    }


def _assistant(corpus: str, servers: Iterable[MCPTool]) -> str:
    name = slug(corpus)
    assistant = assistant_actions.create(by=BY, name=name, slug=name)
    # Not by the action: a corpus has more servers than an assistant may be given.
    assistant.tools.set(servers)
    return name
