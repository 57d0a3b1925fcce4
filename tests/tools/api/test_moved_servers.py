"""A server that moves to another host: the secrets that it was given stay behind."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from connector import grants
from connector.models import OAuthGrant
from connector.session.authorization import Authorization
from tests.tools.conftest import BY, fields_of
from tools import actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db(transaction=True)
URL, MASK = "https://mcp.example.org/mcp", "********"
MIXED = {"headers": {"X-Token": MASK, "X-Other": "1"}}
ELSEWHERE = [
    "https://evil.example.org/mcp",
    "https://mcp.example.org.evil.example/mcp",
    "https://mcp.example.org@evil.example.org/mcp",
    "https://mcp.example.org:8443/mcp",
    "http://mcp.example.org/mcp",
]


@pytest.fixture
def server(db: None) -> MCPTool:
    headers = {"X-Token": "canary-1"}
    return actions.register(by=BY, name="Far", connection_type="streamable_http", url=URL, headers=headers)


@pytest.fixture
def grant(server: MCPTool) -> OAuthGrant:
    given = {"flow": "login", "client_id": "us", "client_secret": "canary-2"}
    grant = grants.connect(server=server, by=BY, **given)
    kept = {"url": URL, "tokens": {"access_token": "canary-3"}}
    OAuthGrant.objects.update(kept=kept, connected_at=timezone.now())
    return grant


def patch(api: APIClient, server: MCPTool, **change: Any) -> Any:
    return api.patch(f"/api/v1/mcp-tools/{server.pk}", change, format="json")


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize(
    "headers", [{}, {"headers": {"X-Token": MASK}}, {"headers": {"X-Token": MASK, "B": "1"}}]
)
def test_stored_headers_do_not_follow(
    api: APIClient, server: MCPTool, url: str, headers: dict[str, Any]
) -> None:
    assert list(fields_of(patch(api, server, url=url, **headers))) == ["headers"]
    tested = api.post(f"/api/v1/mcp-tools/{server.pk}/test", {"url": url, **headers}, format="json")
    assert list(fields_of(tested)) == ["headers"]
    assert MCPTool.objects.get().url == URL


@pytest.mark.parametrize("headers", [{}, {"X-Token": "new"}])
def test_a_server_moves_with_headers_that_were_given_again(
    api: APIClient, server: MCPTool, headers: dict[str, str]
) -> None:
    assert patch(api, server, url=ELSEWHERE[0], headers=headers).status_code == 200
    assert MCPTool.objects.get().headers == headers


@pytest.mark.parametrize(
    "url", [f"{URL}/v2", "https://mcp.example.org:443/mcp", "https://MCP.example.org/mcp"]
)
def test_on_the_same_host_headers_stay(api: APIClient, server: MCPTool, url: str) -> None:
    assert patch(api, server, url=url).status_code == 200
    assert MCPTool.objects.get().headers == {"X-Token": "canary-1"}


def test_a_local_server_that_becomes_a_remote_one_does_not_send_its_headers(api: APIClient) -> None:
    stored = {"headers": {"X-Token": "canary-1"}}
    server = actions.register(by=BY, name="Near", connection_type="stdio", command="python", **stored)
    change = {"connection_type": "sse", "url": ELSEWHERE[0]}
    assert list(fields_of(patch(api, server, **change))) == ["headers"]


def test_another_host_is_not_told_the_client_secret_nor_the_tokens(
    api: APIClient, server: MCPTool, grant: OAuthGrant
) -> None:
    assert patch(api, server, url=ELSEWHERE[0], headers={}).status_code == 200
    grant.refresh_from_db()
    assert (grant.client_secret, grant.kept, grant.is_connected) == ("", {}, False)
    assert AuditEntry.objects.filter(object_kind="OAuth grant", action="updated").exists()


def test_tokens_are_for_one_address_and_the_client_for_its_host(
    api: APIClient, server: MCPTool, grant: OAuthGrant
) -> None:
    assert patch(api, server, url=f"{URL}/v2").status_code == 200
    grant.refresh_from_db()
    assert (grant.client_secret, grant.kept, grant.is_connected) == ("canary-2", {}, False)


@pytest.mark.usefixtures("grant")
def test_a_renewal_that_ends_after_the_move_is_not_stored(api: APIClient, server: MCPTool) -> None:
    renewed = async_to_sync(grants.find)(server.pk)
    assert renewed is not None
    patch(api, server, url=f"{URL}/v2")
    async_to_sync(grants.store)(renewed, {"tokens": {"access_token": "new"}})
    assert OAuthGrant.objects.get().kept == {}
    assert not OAuthGrant.objects.get().is_connected


@pytest.mark.usefixtures("grant")
def test_a_test_of_another_address_is_let_in_by_no_token(server: MCPTool) -> None:
    async def token(url: str) -> str:
        authorization = Authorization(server.pk)
        await authorization.prepare(url)
        return await authorization._token()

    assert async_to_sync(token)(URL) == "canary-3"
    assert [async_to_sync(token)(url) for url in (*ELSEWHERE, f"{URL}/v2")] == [""] * 6


REFERRING = [
    {"url": "https://mcp.example.org/mcp?key=${KEY}"},
    {"url": URL, "headers": {"Authorization": "Bearer ${KEY}"}},
    {"url": "https://${HOST}/mcp", "headers": {"Authorization": "Bearer ${KEY}"}},
]


@pytest.mark.parametrize("settings", REFERRING)
@pytest.mark.parametrize("env", [{}, {"env": {"KEY": MASK, "HOST": MASK}}, {"env": {"KEY": MASK}}])
def test_stored_variables_that_the_address_or_headers_refer_to_do_not_follow(
    api: APIClient, settings: dict[str, Any], env: dict[str, Any]
) -> None:
    stored = {"KEY": "canary-4", "HOST": "mcp.example.org"}
    server = actions.register(by=BY, name="Far", connection_type="sse", env=stored, **settings)
    change = {**settings, "url": settings["url"].replace("${HOST}", "mcp.example.org")}
    change["url"] = change["url"].replace("mcp.example.org", "evil.example.org")
    assert list(fields_of(patch(api, server, **change, **env))) == ["env"]
    assert MCPTool.objects.get().url == settings["url"]


def test_a_host_that_is_a_variable_takes_no_header_along(api: APIClient) -> None:
    server = actions.register(
        by=BY,
        name="Far",
        connection_type="sse",
        env={"HOST": "mcp.example.org"},
        url="https://${HOST}/mcp",
        headers={"X-Token": "canary-5"},
    )
    refused = patch(api, server, env={"HOST": "evil.example.org"})
    assert list(fields_of(refused)) == ["headers"]
    moved = patch(api, server, env={"HOST": "evil.example.org"}, headers={"X-Token": "new"})
    assert moved.status_code == 200


def test_tokens_of_a_grant_are_forgotten_when_a_variable_moves_the_server(api: APIClient) -> None:
    server = actions.register(
        by=BY, name="Far", connection_type="sse", env={"HOST": "mcp.example.org"}, url="https://${HOST}/mcp"
    )
    grants.connect(server=server, by=BY, flow="login", client_id="us", client_secret="canary-2")
    OAuthGrant.objects.update(kept={"url": URL, "tokens": {"access_token": "canary-3"}})
    assert async_to_sync(grants.find)(server.pk).url == URL
    assert patch(api, server, env={"HOST": "evil.example.org"}).status_code == 200
    row = OAuthGrant.objects.get()
    assert (row.kept, row.client_secret) == ({}, "")
