"""The files of MCP clients, as their documentation has them."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from core.actor import Actor
from tools import importing
from tools.importing.entries import Entry, read_entry

STDIO = Entry(command="npx", args=["-y", "x"], env={"K": "v"})
REMOTE = Entry(url="https://a.example/mcp", headers={"X": "y"})
ENTRY = {"command": "npx", "args": ["-y", "x"], "env": {"K": "v"}}
HTTP = {"url": "https://a.example/mcp", "headers": {"X": "y"}}

FILES: dict[str, tuple[Any, dict[str, Entry]]] = {
    "Claude Desktop": ({"globalShortcut": "", "mcpServers": {"a": ENTRY}}, {"a": STDIO}),
    "Cursor": ({"mcpServers": {"a": HTTP}}, {"a": REMOTE}),
    "VS Code": (
        {
            "inputs": [{"id": "k"}],
            "servers": {"a": {"type": "stdio", **ENTRY}, "b": {"type": "http", **HTTP}},
        },
        {
            "a": Entry(type="stdio", command="npx", args=["-y", "x"], env={"K": "v"}),
            "b": Entry(type="http", url="https://a.example/mcp", headers={"X": "y"}),
        },
    ),
    "VS Code's settings": ({"editor.tabSize": 2, "mcp": {"servers": {"a": ENTRY}}}, {"a": STDIO}),
    "Windsurf": ({"mcpServers": {"a": {"serverUrl": HTTP["url"], "headers": {"X": "y"}}}}, {"a": REMOTE}),
    "Cline": (
        {
            "mcpServers": {
                "a": {**ENTRY, "alwaysAllow": ["t"], "autoApprove": [], "disabled": False, "timeout": 60}
            }
        },
        {
            "a": Entry(
                command="npx",
                args=["-y", "x"],
                env={"K": "v"},
                disabled=False,
                ignored=("alwaysAllow", "autoApprove", "timeout"),
            )
        },
    ),
    "Zed": (
        {"theme": "One", "context_servers": {"a": {"source": "custom", "enabled": True, **ENTRY}, "b": HTTP}},
        {
            "a": Entry(command="npx", args=["-y", "x"], env={"K": "v"}, disabled=False, ignored=("source",)),
            "b": REMOTE,
        },
    ),
    "Zed of 2025": (
        {
            "context_servers": {
                "a": {"command": {"path": "npx", "args": ["-y", "x"], "env": {"K": "v"}}, "settings": {}}
            }
        },
        {"a": Entry(command="npx", args=["-y", "x"], env={"K": "v"}, ignored=("settings",))},
    ),
    "Continue": (
        {
            "mcpServers": [
                {"name": "a", **ENTRY},
                {"name": "b", "url": HTTP["url"], "requestOptions": {"headers": {"X": "y"}}},
            ]
        },
        {"a": STDIO, "b": REMOTE},
    ),
    "Continue of 2024": (
        {"experimental": {"modelContextProtocolServers": [{"transport": {"type": "stdio", **ENTRY}}]}},
        {"x": Entry(type="stdio", command="npx", args=["-y", "x"], env={"K": "v"})},
    ),
    "LibreChat": (
        {
            "version": "1.2.1",
            "mcpServers": {
                "a": {"type": "streamable-http", **HTTP, "initTimeout": 1, "serverInstructions": True}
            },
        },
        {
            "a": Entry(
                type="streamable-http",
                url="https://a.example/mcp",
                headers={"X": "y"},
                ignored=("initTimeout", "serverInstructions"),
            )
        },
    ),
    "a README's part": ({"a": ENTRY, "b": HTTP}, {"a": STDIO, "b": REMOTE}),
    "one server alone": (ENTRY, {"x": STDIO}),
    "one with its name": ({"name": "me", **HTTP}, {"me": REMOTE}),
    "Windows": (
        {"mcpServers": {"a": {**ENTRY, "command": "cmd", "args": ["/c", "npx", "-y", "x"]}}},
        {"a": STDIO},
    ),
    "null": ({"mcpServers": {"a": {**ENTRY, "url": None, "disabled": None}}, "servers": None}, {"a": STDIO}),
}


@pytest.mark.parametrize(("file", "entries"), FILES.values(), ids=FILES)
def test_a_clients_file_is_read(file: Any, entries: dict[str, Entry]) -> None:
    found = importing.find_servers(file)
    assert {name: read_entry(written) for name, written in found.servers.items()} == entries


@pytest.mark.parametrize(
    "file",
    [
        {},
        {"mcpServers": {}},
        {"mcpServers": []},
        {"mcpServers": "x"},
        {"mcpServers": 7, "servers": {"a": ENTRY}},
        {"servers": {}, "mcp": {"servers": None}},
        {"mcp": ["x"]},
        {"theme": "dark", "a": ENTRY},
        {"mcpServers": {str(number): ENTRY for number in range(101)}},
    ],
)
def test_a_file_without_servers_or_with_too_many_is_refused(file: Any) -> None:
    with pytest.raises(ValidationError):
        importing.find_servers(file)


ODD: list[Any] = [
    None,
    1,
    True,
    "npx",
    [],
    {"transport": 7, "url": []},
    {"command": {"path": {}}},
    {"url": {}},
    {"args": {"a": 1}},
    {"env": [1]},
    {"headers": {"X": []}},
    {"requestOptions": {"headers": [1]}},
    {"enabled": []},
    {"type": {}},
    {"command": "cmd", "args": ["/c", []]},
    {"transport": {"transport": {"transport": 1}}},
]


@pytest.mark.parametrize("written", ODD)
def test_an_odd_entry_is_refused_by_field(written: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        read_entry(written)
    assert raised.value.message_dict


@pytest.mark.django_db
def test_a_name_is_found_as_it_is_stored_and_refused_where_it_cannot_be() -> None:
    server = {"command": "uvx", "args": ["a@1.0.0"]}
    document = importing.Document({"a ": server, "b\0": server, "\u3000": server}, {})
    for status in ("created", "unchanged"):
        outcomes = importing.apply(document, by=Actor.system("test"))
        assert [each.status for each in outcomes] == [status, "refused", "refused"]
        assert [[*each.errors] for each in outcomes] == [[], ["name"], ["name"]]
