"""Switches and credentials in the files of MCP clients."""

from typing import Any

import pytest

from core.actor import Actor
from tools import actions, importing
from tools.importing import Document, read_entry

SERVER = {"url": "https://1.1.1.1/mcp"}


@pytest.mark.parametrize(
    ("switches", "disabled"),
    [
        ({}, None),
        ({"enabled": True}, False),
        ({"enabled": True, "disabled": True}, True),
        ({"enabled": False, "disabled": False}, True),
        ({"isActive": False}, True),
        ({"is_active": "false"}, True),
        ({"enable": True, "disabled": "FALSE"}, False),
    ],
)
def test_one_switch_that_is_off_is_enough(switches: dict[str, Any], disabled: bool | None) -> None:
    entry = read_entry(SERVER | switches)
    assert (entry.disabled, entry.ignored) == (disabled, ())


@pytest.mark.django_db
def test_a_server_whose_credential_is_ignored_is_registered_stopped() -> None:
    document = Document({"a": SERVER | {"bearerToken": "canary"}, "b": SERVER | {"bearerToken": ""}}, {})
    first, second = importing.apply(document, by=Actor.system("test"))
    assert first.mcp_tool is not None
    assert second.mcp_tool is not None
    assert (first.mcp_tool.is_enabled, second.mcp_tool.is_enabled) == (False, True)
    assert "Ignored: bearerToken." in first.warnings
    assert "canary" not in "".join(first.warnings)


@pytest.mark.django_db
def test_what_was_given_in_place_of_an_ignored_credential_is_kept() -> None:
    by = Actor.system("test")
    document = Document({"a": SERVER | {"bearerToken": "canary", "headers": {"X-Kind": "new"}}}, {})
    server = importing.apply(document, by=by)[0].mcp_tool
    assert server is not None
    actions.update(server, by=by, headers={"Authorization": "Bearer given", "X-Kind": "old"}, is_enabled=True)

    importing.apply(document, by=by, update=True)

    server.refresh_from_db()
    assert server.headers == {"Authorization": "Bearer given", "X-Kind": "new"}
    assert importing.apply(document, by=by)[0].status == "unchanged"
