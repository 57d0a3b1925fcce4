"""Rules for servers and their grants.

What REST refuses the admin refuses too, beside the field at fault, and neither changes a row.
"""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from rest_framework.test import APIClient

from connector.models import Instance, OAuthGrant
from tests.console.conftest import fields_of
from tests.console.pages import BY, GRANTS, SERVERS, errors_of, send
from tools import actions as tool_actions
from tools.functions import actions as function_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
REMOTE = {"connection_type": "sse", "url": "https://mcp.example.org/sse", "command": ""}


WRONG_SERVERS = [
    ("command", {**REMOTE, "command": "rm -rf"}),
    ("command", {**REMOTE, "command": "/bin/sh"}),
    ("env", {**REMOTE, "env": {"LD_PRELOAD": "/tmp/x.so"}}),
    ("env", {**REMOTE, "env": {"not a name": "1"}}),
    ("url", {"url": "http://169.254.169.254/latest"}),
    ("url", {"url": "http://127.0.0.1:1/mcp"}),
    ("url", {"url": "ftp://mcp.example.org"}),
    ("headers", {"headers": {"Host": "evil.example.org"}}),
    ("headers", {"headers": {"X-Token": "line\nbreak"}}),
    ("env", {"env": {"TOKEN": "********"}}),
    ("description", {"description": "x" * 4097}),
    ("command", {"command": ""}),
    ("slug", {"slug": "search"}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG_SERVERS)
def test_a_server_with_wrong_settings_is_not_registered(
    api: APIClient, admin_client: Client, field: str, wrong: dict[str, Any]
) -> None:
    body = {"name": "Time", "connection_type": "stdio", "command": "python", **wrong}
    by_rest = fields_of(api.post("/api/v1/mcp-tools", body, format="json"))
    by_console = errors_of(send(admin_client, SERVERS, **wrong))
    assert list(by_rest) == list(by_console) == [field]
    assert not MCPTool.objects.exists()


@pytest.mark.parametrize(("field", "wrong"), [each for each in WRONG_SERVERS if each[0] != "slug"])
def test_wrong_settings_of_a_server_are_not_saved(
    api: APIClient, admin_client: Client, clock: MCPTool, field: str, wrong: dict[str, Any]
) -> None:
    before = MCPTool.objects.values("name", "command", "connection_type", "version").get()
    by_rest = fields_of(api.patch(f"/api/v1/mcp-tools/{clock.pk}", wrong, format="json"))
    by_console = errors_of(send(admin_client, SERVERS, clock, **wrong))
    assert list(by_rest) == list(by_console) == [field]
    assert MCPTool.objects.values("name", "command", "connection_type", "version").get() == before


def test_a_command_that_a_remote_server_does_not_use_may_stay(api: APIClient, clock: MCPTool) -> None:
    change = {"connection_type": "sse", "url": "https://mcp.example.org/sse"}
    response = api.patch(f"/api/v1/mcp-tools/{clock.pk}", change, format="json")
    assert (response.status_code, response.json()["command"]) == (200, "python")


def test_a_grant_is_given_once_and_to_a_remote_server(admin_client: Client, clock: MCPTool) -> None:
    remote = tool_actions.register(by=BY, name="Far", **REMOTE)
    assert list(errors_of(send(admin_client, GRANTS, server=clock.pk))) == ["server"]
    assert send(admin_client, GRANTS, server=remote.pk).status_code == 302
    assert list(errors_of(send(admin_client, GRANTS, server=remote.pk))) == ["server"]
    needing = {"flow": "client_credentials", "client_id": "us"}
    errors = errors_of(send(admin_client, GRANTS, OAuthGrant.objects.get(), **needing))
    assert set(errors) == {"client_secret", "issuer"}
    assert OAuthGrant.objects.get().flow == "login"


def test_a_server_that_has_run_is_deleted(admin_client: Client, clock: MCPTool) -> None:
    Instance.objects.create(server=clock)
    page = admin_client.post(f"{SERVERS}{clock.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not MCPTool.objects.present().exists()


@pytest.mark.parametrize(
    "overrides",
    [
        {"name": "x" * 129},
        {"description": "x" * 4097},
        {"title": "T"},
        {"name": 7},
        {"name": "nul\0"},
        {"name": "\ud800"},
    ],
)
def test_the_verb_refuses_overrides_whoever_calls_it(clock: MCPTool, overrides: dict[str, Any]) -> None:
    function = clock.functions.get()
    with pytest.raises(ValidationError) as refusal:
        function_actions.update(function, by=BY, overrides=overrides)
    assert list(refusal.value.message_dict) == ["overrides"]
    function.refresh_from_db()
    assert (function.overrides, function.version) == ({}, 1)
