"""Secrets in the admin: nobody who may view a page, and nothing that a page does, shows one in clear."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions
from assistants.models import Conversation, HiddenRounds, Run, StoredResponse, ToolCall
from connector import grants
from connector.models import Instance, OAuthGrant
from core.admin.pages import ConsoleAdmin, MaskedInline, masked
from tests.console.pages import BY, GRANTS, PROVIDERS, SERVERS, send
from tools import actions as tool_actions
from tools.models import MCPTool
from tools.secrets.encryption import EncryptedJSONField

pytestmark = pytest.mark.django_db
CANARY = "canary-7Qx2"
BODY = "what was said"
"""Texts of runs are no secret to those who may read bodies: see test_runs."""
APPS = {"apikeys", "tools", "connector", "assistants"}
SECRETS: dict[str, Any] = {
    "args": ["--api-key", CANARY, f"--url=https://user:{CANARY}@example.org"],
    "env": {"TOKEN": CANARY},
    "url": f"https://mcp.example.org/mcp?token={CANARY}",
    "headers": {"X-Token": CANARY},
}


def ours() -> list[admin.ModelAdmin[Any]]:
    return [page for model, page in admin.site._registry.items() if model._meta.app_label in APPS]


@pytest.fixture
def rows() -> None:
    """A row of every model with secrets, and of every model that has a page, with canaries in all secrets."""
    server = tool_actions.register(
        by=BY, name="Far", connection_type="streamable_http", command="python", **SECRETS
    )
    grants.connect(
        server=server, by=BY, flow="login", client_id="us", client_secret=CANARY, issuer="https://as.example"
    )
    OAuthGrant.objects.update(
        kept={"url": server.url, "tokens": {"access_token": CANARY}}, connected_at=timezone.now()
    )
    provider = actions.add_provider(by=BY, name="LLM", api_key=CANARY, default_model="m")
    api_key = key_actions.issue(by=BY, name="caller").api_key
    assistant = actions.create(by=BY, name="Helper", tools=[server], provider=provider, api_keys=[api_key])
    actions.update(assistant, by=BY, name="Helper 2")
    tool_actions.update(server, by=BY, env={"TOKEN": CANARY, "OTHER": CANARY})
    now = timezone.now()
    conversation = Conversation.objects.create(
        api_key=api_key, external_id="s", created_at=now, last_run_at=now, messages=[CANARY]
    )
    run = Run.objects.create(
        run_id="run_1", conversation=conversation, started_at=now, request=BODY, answer=BODY
    )
    ToolCall.objects.create(run=run, position=0, arguments={"a": BODY}, result=BODY, server="Far")
    StoredResponse.objects.create(
        response_id="resp_1", api_key=api_key, status="completed", expires_at=now, input=[CANARY], body={}
    )
    HiddenRounds.objects.create(
        api_key=api_key, assistant=assistant, call_id="c", messages=[CANARY], expires_at=now
    )
    Instance.objects.create(server=server)


def viewer(client: Client) -> Client:
    user = User.objects.create_user("viewer", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


def addresses() -> Iterator[str]:
    """Every page of the admin, of every row."""
    for page in ours():
        base = f"/admin/{page.opts.app_label}/{page.opts.model_name}/"
        yield from (base, f"{base}?q=canary", f"{base}?all=", f"{base}add/")
        for row in page.model._default_manager.all():
            yield from (f"{base}{row.pk}/{name}/" for name in ("change", "delete"))
    yield from ("/admin/", "/admin/?x=1")


@pytest.mark.usefixtures("rows")
def test_who_may_only_view_sees_no_secret_on_any_page(client: Client) -> None:
    viewer(client)
    shown = {address: client.get(address) for address in addresses()}
    assert not [address for address, page in shown.items() if CANARY in page.content.decode()]
    assert not [address for address, page in shown.items() if page.status_code not in {200, 403}]
    changes = [address for address in shown if address.endswith("/change/")]
    assert len(changes) >= 8
    assert all(shown[address].status_code == 200 for address in changes)


@pytest.mark.usefixtures("rows")
def test_who_may_do_everything_sees_no_secret_on_any_page(admin_client: Client) -> None:
    assert not [address for address in addresses() if CANARY in admin_client.get(address).content.decode()]


@pytest.mark.usefixtures("rows")
def test_names_of_secrets_are_shown_to_who_may_only_view(client: Client) -> None:
    page = viewer(client).get(f"{SERVERS}{MCPTool.objects.get().pk}/change/").content.decode()
    assert "TOKEN" in page
    assert "X-Token" in page
    assert "********" in page


@pytest.mark.usefixtures("rows")
def test_confirmations_show_no_secret(admin_client: Client) -> None:
    for page in ours():
        selected = [row.pk for row in page.model._default_manager.all()]
        chosen = {"action": "delete_selected", "_selected_action": selected}
        shown = admin_client.post(f"/admin/{page.opts.app_label}/{page.opts.model_name}/", chosen)
        assert CANARY not in shown.content.decode()


@pytest.mark.usefixtures("rows")
def test_a_list_is_not_filtered_by_what_it_does_not_show(admin_client: Client, client: Client) -> None:
    viewer(client)
    for page, lookup in (
        ("assistants/run", "request__contains"),
        ("assistants/run", "answer__startswith"),
        ("apikeys/apikey", "key_hash__startswith"),
        ("tools/mcptool", "env__contains"),
        ("connector/instance", "server__env__contains"),
    ):
        assert client.get(f"/admin/{page}/?{lookup}={CANARY[:3]}").status_code == 400, lookup


def test_every_page_of_ours_masks() -> None:
    assert len(ours()) >= 8
    for page in ours():
        assert isinstance(page, ConsoleAdmin), page
        assert all(issubclass(each, MaskedInline) for each in page.inlines), page


def test_no_list_shows_or_searches_an_encrypted_column() -> None:
    for page in ours():
        secret = {field.name for field in page.opts.fields if isinstance(field, EncryptedJSONField)}
        assert not secret & {*page.list_display, *page.search_fields, *map(str, page.list_filter)}


def test_every_encrypted_field_is_masked() -> None:
    fields = [
        (model, field)
        for model in apps.get_models()
        for field in model._meta.fields
        if isinstance(field, EncryptedJSONField)
    ]
    assert len(fields) >= 10
    for model, field in fields:
        row = model(**{field.name: SECRETS.get(field.name, CANARY)})
        assert CANARY not in repr(getattr(masked(row), field.name))


@pytest.mark.usefixtures("rows")
def test_a_page_saved_as_it_is_shown_keeps_every_secret(admin_client: Client) -> None:
    server, grant = MCPTool.objects.get(), OAuthGrant.objects.get()
    provider = apps.get_model("assistants.Provider").objects.get()
    secrets = {name: getattr(server, name) for name in SECRETS}
    for page, row, edited in (
        (SERVERS, server, {"description": "other"}),
        (GRANTS, grant, {"scope": "x"}),
        (PROVIDERS, provider, {"default_model": "n"}),
    ):
        form = admin_client.get(f"{page}{row.pk}/change/").context["adminform"].form
        values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
        shown = {
            name: json.dumps(value) if page != SERVERS and isinstance(value, list | dict) else value
            for name, value in values.items()
            if value is not None and name not in {"api_key", "client_secret"}  # shown empty
        }
        response = send(admin_client, page, row, **{**shown, **edited})
        assert response.status_code == 302, response.content
    server.refresh_from_db()
    assert {name: getattr(server, name) for name in SECRETS} == secrets
    assert server.description == "other"
    assert (OAuthGrant.objects.get().client_secret, OAuthGrant.objects.get().scope) == (CANARY, "x")
    provider.refresh_from_db()
    assert (provider.api_key, provider.default_model) == (CANARY, "n")


@pytest.mark.usefixtures("rows")
def test_a_viewers_post_changes_nothing(client: Client) -> None:
    server = MCPTool.objects.get()
    assert send(viewer(client), SERVERS, server, env={"TOKEN": "********"}).status_code == 403
    assert MCPTool.objects.get().env["TOKEN"] == CANARY
