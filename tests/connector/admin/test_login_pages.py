"""The console's pages: a member of staff logs in to a remote server, with the requests of a browser."""

import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apikeys.models import AuditEntry
from connector.models import OAuthGrant
from tests.connector.conftest import BY
from tests.stack import wait_for
from tools import actions
from tools.models import MCPTool, Status

ADD = "/admin/connector/oauthgrant/add/"


class StopAtRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture
def server(transactional_db: None, supervise: Any, start_remote: Any) -> MCPTool:
    supervise()
    url = start_remote("oauth.py").url
    return actions.register(by=BY, name="Memo", connection_type="streamable_http", url=url)


def connect(client: Client, server: MCPTool, **fields: str) -> OAuthGrant:
    form = {"server": server.pk, "flow": "login", "client_id": "", "scope": "", "issuer": "", **fields}
    response = client.post(ADD, form)
    assert response.status_code == 302, response.content.decode()
    return OAuthGrant.objects.get(server=server)


def begin(client: Client, grant: OAuthGrant) -> str:
    response = client.post(f"/admin/connector/oauthgrant/{grant.pk}/login/")
    assert response.status_code == 302
    return str(response.headers["location"])


def consent(url: str) -> str:
    """Returns the path and query to which the authorization server redirects."""
    try:
        urllib.request.build_opener(StopAtRedirect).open(url, timeout=20)
    except urllib.error.HTTPError as redirect:
        parts = urlsplit(redirect.headers["location"])
        redirect.close()
        return f"{parts.path}?{parts.query}"
    raise AssertionError(url)


def status(server: MCPTool) -> str:
    return MCPTool.objects.get(pk=server.pk).status


def test_staff_log_in_and_the_server_runs(admin_client: Client, server: MCPTool) -> None:
    wait_for(lambda: status(server) == Status.ERROR, within_s=30)
    grant = connect(admin_client, server)
    page = f"/admin/connector/oauthgrant/{grant.pk}/change/"
    assert "Not connected." in admin_client.get(page).content.decode()
    back = admin_client.get(consent(begin(admin_client, grant)), follow=True)
    assert "Memo is connected." in back.content.decode()
    assert "Connected since" in admin_client.get(page).content.decode()
    wait_for(lambda: status(server) == Status.RUNNING, within_s=30)


def test_an_answer_in_another_session_is_refused(
    admin_client: Client, server: MCPTool, admin_user: User
) -> None:
    """Else somebody could connect our server to an account of theirs (login CSRF)."""
    grant = connect(admin_client, server)
    callback = consent(begin(admin_client, grant))
    other = Client()
    other.force_login(admin_user)
    assert "not begun in this session" in other.get(callback, follow=True).content.decode()
    assert not OAuthGrant.objects.get(pk=grant.pk).is_connected


def test_an_answer_is_good_for_one_use(admin_client: Client, server: MCPTool) -> None:
    callback = consent(begin(admin_client, connect(admin_client, server)))
    assert "is connected" in admin_client.get(callback, follow=True).content.decode()
    assert "not begun in this session" in admin_client.get(callback, follow=True).content.decode()


def test_the_refusal_of_the_authorization_server_is_shown(admin_client: Client, server: MCPTool) -> None:
    grant = connect(admin_client, server)
    state = dict(pair.split("=") for pair in urlsplit(begin(admin_client, grant)).query.split("&"))["state"]
    callback = f"/admin/connector/oauthgrant/callback/?error=access_denied&state={state}"
    assert "refused: access_denied" in admin_client.get(callback, follow=True).content.decode()


def test_a_visitor_who_is_not_staff_is_sent_to_the_login_page(
    server: MCPTool, client: Client, admin_client: Client
) -> None:
    grant = connect(admin_client, server)
    for response in (
        client.post(f"/admin/connector/oauthgrant/{grant.pk}/login/"),
        client.get("/admin/connector/oauthgrant/callback/?state=x&code=y"),
    ):
        assert response.status_code == 302
        assert response.headers["location"].startswith("/admin/login/")


def test_a_login_is_begun_by_post_only(admin_client: Client, server: MCPTool) -> None:
    grant = connect(admin_client, server)
    assert admin_client.get(f"/admin/connector/oauthgrant/{grant.pk}/login/").status_code == 405


def test_the_secret_is_stored_and_never_shown(admin_client: Client, server: MCPTool) -> None:
    secret = {"flow": "client_credentials", "client_id": "us", "issuer": "https://as.example.org"}
    grant = connect(admin_client, server, client_secret="canary-5f1c", **secret)
    page = f"/admin/connector/oauthgrant/{grant.pk}/change/"
    assert "canary" not in admin_client.get(page).content.decode()
    admin_client.post(page, {**secret, "client_secret": "", "scope": "more"})
    grant.refresh_from_db()
    assert (grant.client_secret, grant.scope) == ("canary-5f1c", "more")
    assert "canary" not in str(list(AuditEntry.objects.values()))


def test_client_credentials_need_id_secret_and_issuer(admin_client: Client, server: MCPTool) -> None:
    form = {"server": server.pk, "flow": "client_credentials", "client_id": "us"}
    assert "Client credentials need it." in admin_client.post(ADD, form).content.decode()
    assert not OAuthGrant.objects.exists()


def test_deleting_a_grant_disconnects_the_server(admin_client: Client, server: MCPTool) -> None:
    grant = connect(admin_client, server)
    admin_client.get(consent(begin(admin_client, grant)))
    wait_for(lambda: status(server) == Status.RUNNING, within_s=30)
    admin_client.post(f"/admin/connector/oauthgrant/{grant.pk}/delete/", {"post": "yes"})
    wait_for(lambda: status(server) == Status.ERROR, within_s=30)
