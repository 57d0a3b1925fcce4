"""Rows whose secrets no key decrypts are listed, say what to do, keep what is stored, and can be mended."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from assistants import actions as assistant_actions
from assistants.models import Provider
from connector import grants
from connector.models import OAuthGrant
from core.actor import Actor
from tests.console.pages import GRANTS, PROVIDERS, SERVERS, errors_of, send
from tools import actions
from tools.models import MCPTool
from tools.secrets import encryption
from tools.secrets.encryption import UndecryptableSecret, Unreadable
from tools.secrets.masking import UNREADABLE

BY = Actor.system("tests")
CANARY = "canary-5f1c"
URL = "https://93.184.216.34/mcp"
pytestmark = pytest.mark.django_db


@pytest.fixture
def use_key(settings: Any) -> Iterator[Callable[[str], None]]:
    def use(key: str) -> None:
        settings.SECRET_ENCRYPTION_KEYS = [key]
        encryption._fernet.cache_clear()

    yield use
    encryption._fernet.cache_clear()


@pytest.fixture
def lost(db: None, use_key: Any) -> Any:
    """A server of each kind, a provider and a grant, stored under a key that is lost. Call it to restore."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    use_key(old)
    actions.register(
        by=BY, name="Local", connection_type="stdio", command="python", args=["-m", "x"], env={"K": CANARY}
    )
    far = actions.register(by=BY, name="Far", connection_type="sse", url=URL, headers={"X-Key": CANARY})
    grants.connect(server=far, by=BY, client_id="us", client_secret=CANARY, issuer="https://as.example")
    OAuthGrant.objects.update(kept={"url": URL, "tokens": {"access_token": CANARY}})
    assistant_actions.add_provider(by=BY, name="LLM", api_key=CANARY, default_model="m")
    use_key(new)
    actions.register(by=BY, name="Healthy", connection_type="stdio", command="python", env={"K": "v"})
    return lambda: use_key(old)


def tokens() -> list[str]:
    found: list[str] = []
    with connection.cursor() as cursor:
        for columns in (
            "args, env, url, headers FROM tools_mcptool WHERE name IN ('Local', 'Far') ORDER BY id",
            "api_key FROM assistants_provider",
            "client_secret, kept FROM connector_oauthgrant",
        ):
            cursor.execute(f"SELECT {columns}")
            found += [token for row in cursor.fetchall() for token in row]
    return found


def listed(api: APIClient) -> dict[str, Any]:
    response = api.get("/api/v1/mcp-tools")
    assert response.status_code == 200, response.content
    found = response.json()
    return {each["name"]: each for each in (found if isinstance(found, list) else found["results"])}


def patched(api: APIClient, server: str, **changes: Any) -> Any:
    pk = MCPTool.objects.get(name=server).pk
    return api.patch(f"/api/v1/mcp-tools/{pk}", changes, format="json")


def test_rest_lists_every_server_and_says_which_settings_are_unreadable(api: APIClient, lost: Any) -> None:
    shown = listed(api)
    assert shown["Local"]["args"] == [UNREADABLE]
    assert shown["Local"]["env"] == {"unreadable": UNREADABLE}
    assert shown["Far"]["url"] == UNREADABLE
    assert "url and headers" in shown["Far"]["warnings"][0]
    assert "SECRET_ENCRYPTION_KEYS" in shown["Local"]["warnings"][0]
    assert (shown["Healthy"]["env"], shown["Healthy"]["warnings"]) == ({"K": "********"}, [])


def test_other_fields_are_saved_and_the_ciphertext_stays(api: APIClient, lost: Any) -> None:
    before = tokens()
    for name in ("Local", "Far"):
        assert patched(api, name, description="new", is_enabled=False).status_code == 200
    # As a client does that sends back all that it has read.
    shown = listed(api)["Far"]
    whole = {name: shown[name] for name in ("args", "env", "url", "headers", "name")}
    assert patched(api, "Far", **whole).status_code == 200
    assert tokens() == before
    lost()
    server = MCPTool.objects.get(name="Local")
    assert (server.description, server.env) == ("new", {"K": CANARY})
    assert MCPTool.objects.get(name="Far").headers == {"X-Key": CANARY}


def test_secrets_that_are_entered_anew_mend_a_server(api: APIClient, lost: Any) -> None:
    response = patched(api, "Local", args=["-m", "x"], env={"K": "new"})
    assert (response.status_code, response.json()["warnings"]) == (200, [])
    assert MCPTool.objects.get(name="Local").env == {"K": "new"}
    changes = AuditEntry.objects.filter(action="updated").first()
    assert changes is not None
    assert UNREADABLE in json.dumps(changes.before)


@pytest.mark.parametrize(
    "env", [{"unreadable": UNREADABLE, "NEW": "x"}, {"K": UNREADABLE}, {"K": "********"}]
)
def test_what_stands_for_a_secret_is_never_stored_as_one(api: APIClient, lost: Any, env: Any) -> None:
    before = tokens()
    assert patched(api, "Local", env=env).status_code == 422
    assert tokens() == before
    lost()
    assert patched(api, "Local", env={"unreadable": UNREADABLE}).status_code == 422


def test_an_unreadable_header_does_not_follow_its_server_to_another_host(api: APIClient, lost: Any) -> None:
    """Else it would be sent there once its key is back."""
    assert patched(api, "Far", url="https://93.184.216.35/mcp").status_code == 422
    response = patched(api, "Far", url=URL, headers={"X-Key": "new"})
    assert (response.status_code, response.json()["warnings"]) == (200, [])
    assert OAuthGrant.objects.get().client_secret == ""


def test_using_it_is_refused_with_what_to_do(api: APIClient, lost: Any) -> None:
    pk = MCPTool.objects.get(name="Local").pk
    response = api.post(f"/api/v1/mcp-tools/{pk}/test", {}, format="json")
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (409, "undecryptable_secret")
    assert "args and env" in error["message"]
    assert "SECRET_ENCRYPTION_KEYS" in error["message"]


def test_an_export_has_placeholders_and_can_be_imported(api: APIClient, lost: Any) -> None:
    exported = api.get("/api/v1/mcp-tools/export").json()["mcpServers"]
    assert exported["Local"]["env"] == {"unreadable": UNREADABLE}
    local = {"mcpServers": {"Copy": exported["Local"]}}
    imported = api.post("/api/v1/mcp-tools/import", local, format="json")
    assert imported.status_code == 201, imported.content
    assert not MCPTool.objects.get(name="Copy").is_enabled


def test_a_server_is_deleted(api: APIClient, lost: Any) -> None:
    pk = MCPTool.objects.get(name="Far").pk
    assert api.delete(f"/api/v1/mcp-tools/{pk}").status_code == 204


def test_a_provider_is_listed_kept_and_mended(api: APIClient, lost: Any) -> None:
    before, address = tokens(), f"/api/v1/providers/{Provider.objects.get().pk}"
    assert api.get("/api/v1/providers").status_code == 200
    assert api.get(address).json()["api_key"] == UNREADABLE
    kept = api.patch(address, {"default_model": "n", "api_key": UNREADABLE}, format="json")
    assert (kept.status_code, tokens()) == (200, before)
    moved = api.patch(address, {"base_url": "https://93.184.216.34/v1"}, format="json")
    assert moved.status_code == 422
    tested = api.post(f"{address}/test", {}, format="json").json()
    assert not tested["ok"]
    assert "SECRET_ENCRYPTION_KEYS" in tested["error"]["message"]
    assert api.patch(address, {"api_key": "new"}, format="json").json()["api_key"] == "********"
    assert Provider.objects.get().api_key == "new"


@pytest.mark.parametrize("page", [SERVERS, PROVIDERS, GRANTS])
def test_the_console_shows_it_and_what_to_do(admin_client: Client, lost: Any, page: str) -> None:
    model = {SERVERS: MCPTool, PROVIDERS: Provider, GRANTS: OAuthGrant}[page]
    row = model._default_manager.exclude(**({"name": "Healthy"} if page == SERVERS else {})).first()
    for address in (page, f"{page}{row.pk}/change/"):
        response = admin_client.get(address)
        assert response.status_code == 200
        assert "No key of SECRET_ENCRYPTION_KEYS decrypts" in response.content.decode()
    assert admin_client.get(f"{page}{row.pk}/delete/").status_code == 200


def test_the_console_does_not_warn_of_readable_rows(admin_client: Client, lost: Any) -> None:
    page = f"{SERVERS}{MCPTool.objects.get(name='Healthy').pk}/change/"
    assert "No key of" not in admin_client.get(page).content.decode()


def test_the_console_keeps_what_it_shows_and_takes_secrets_anew(admin_client: Client, lost: Any) -> None:
    before, server = tokens(), MCPTool.objects.get(name="Local")
    shown = {
        "name": "Local",
        "args": [UNREADABLE],
        "env": {"unreadable": UNREADABLE},
        "url": UNREADABLE,
        "headers": {"unreadable": UNREADABLE},
    }
    saved = send(admin_client, SERVERS, server, **shown, description="other")
    assert saved.status_code == 302, errors_of(saved)
    assert send(admin_client, PROVIDERS, Provider.objects.get(), default_model="n").status_code == 302
    assert tokens() == before
    send(admin_client, SERVERS, server, **{**shown, "args": [], "env": {"K": "new"}})
    assert MCPTool.objects.get(name="Local").env == {"K": "new"}
    send(admin_client, PROVIDERS, Provider.objects.get(), api_key="new")
    assert Provider.objects.get().api_key == "new"


def test_a_grant_keeps_its_client_secret_and_is_mended(admin_client: Client, lost: Any) -> None:
    grant = OAuthGrant.objects.get()
    fields = {"client_id": "us", "issuer": "https://as.example"}
    assert send(admin_client, GRANTS, grant, **fields, scope="x").status_code == 302
    assert isinstance(OAuthGrant.objects.get().client_secret, Unreadable)
    send(admin_client, GRANTS, grant, **fields, client_secret="new")
    assert OAuthGrant.objects.get().client_secret == "new"


@pytest.mark.django_db(transaction=True)
async def test_a_grant_is_refused_for_its_secret_and_goes_on_without_its_tokens(lost: Any) -> None:
    server = await MCPTool.objects.aget(name="Far")
    await MCPTool.objects.filter(pk=server.pk).aupdate(url=URL, headers={})
    with pytest.raises(UndecryptableSecret, match="client secret"):
        await grants.find(server.pk)
    await OAuthGrant.objects.aupdate(client_secret="new")
    await grants.demand(server.pk, "more")
    assert isinstance((await OAuthGrant.objects.aget()).kept, Unreadable)
    grant = await grants.find(server.pk)
    assert grant is not None
    assert grant.stored == {}
    await grants.store(grant, {"tokens": {"access_token": "new"}})
    assert (await OAuthGrant.objects.aget()).kept["tokens"] == {"access_token": "new"}


def test_a_dump_keeps_the_ciphertext_and_is_loaded_without_the_key(lost: Any, tmp_path: Path) -> None:
    before, out, file = tokens(), StringIO(), tmp_path / "dump.json"
    call_command("dumpdata", "tools", "connector", "assistants", stdout=out)
    file.write_text(out.getvalue())
    call_command("loaddata", str(file), verbosity=0)
    assert tokens() == before
    lost()
    assert Provider.objects.get().api_key == CANARY


def test_no_use_takes_it_for_a_secret() -> None:
    value: Any = Unreadable("token")
    for use in (str, "{}".format, list, len, dict, lambda it: it["a"], lambda it: "a" in it):
        with pytest.raises(UndecryptableSecret):
            use(value)
    assert "token" not in repr(value)
    assert value


def test_variables_that_a_remote_server_refers_to_are_needed(api: APIClient, lost: Any) -> None:
    refers = {"url": f"{URL}/${{TEAM}}", "headers": {"X-Key": "new"}}
    assert patched(api, "Far", **refers).status_code == 422
    MCPTool.objects.filter(name="Far").update(**refers)
    assert "stored as env" in listed(api)["Far"]["warnings"][0]
    assert patched(api, "Far", env={"TEAM": "a"}, headers={"X-Key": "new"}).json()["warnings"] == []
