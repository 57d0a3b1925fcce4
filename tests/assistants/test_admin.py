import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from assistants import actions
from assistants.models import Assistant, Provider, Run
from core.actor import Actor

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
FORM: dict[str, Any] = {
    "name": "Helper",
    "slug": "helper",
    "system_prompt": "You help.",
    "parameters": "{}",
    "max_rounds": 10,
    "selection": "all",
    "top_k": 10,
    "rendering": "none",
    "is_enabled": "on",
}
PROVIDER = {"name": "LLM", "kind": "openai", "base_url": "", "api_key": "sk-canary-3", "default_model": "m"}


def test_staff_create_an_assistant_and_go_on_to_its_tools(admin_client: Client) -> None:
    response = admin_client.post("/admin/assistants/assistant/add/", FORM | {"_save": "Save"})
    assistant = Assistant.objects.get()
    assert response.headers["Location"] == f"/admin/assistants/assistant/{assistant.pk}/tools/"


def test_staff_choose_how_tools_are_selected(admin_client: Client) -> None:
    chosen = {"selection": "search", "top_k": 5, "schema_token_budget": 100}
    page = "/admin/assistants/assistant/add/"
    assert "At least 300" in admin_client.post(page, {**FORM, **chosen}).content.decode()
    admin_client.post(page, {**FORM, **chosen, "schema_token_budget": 900})
    assistant = Assistant.objects.get()
    assert (assistant.selection, assistant.top_k, assistant.schema_token_budget) == ("search", 5, 900)


def test_staff_see_which_tools_a_run_was_given(admin_client: Client) -> None:
    selection = {"mode": "retrieved", "embedder": "", "degraded": "It <hangs>.", "k": 10, "cutoff": None}
    selection |= {"budget": 4000, "tokens": 90, "tokens_all": 900}
    given = {"public_name": "time__now", "reason": "listed", "score": None, "chosen": True}
    base = {"status": "completed", "started_at": timezone.now()}
    chosen = Run.objects.create(run_id="run_1", selection={**selection, "candidates": [given]}, **base)
    other = Run.objects.create(run_id="run_2", **base)
    page = admin_client.get(f"/admin/assistants/run/{chosen.pk}/change/").content.decode()
    assert "time__now" in page
    assert "It &lt;hangs&gt;." in page
    assert (
        "All of them were given."
        in admin_client.get(f"/admin/assistants/run/{other.pk}/change/").content.decode()
    )
    page = admin_client.get("/admin/assistants/run/").content.decode()
    assert f"/admin/assistants/run/{chosen.pk}/change/" in page


def test_a_mistake_is_shown_beside_its_field(admin_client: Client) -> None:
    wrong = {"parameters": json.dumps({"temprature": 1})}
    response = admin_client.post("/admin/assistants/assistant/add/", {**FORM, **wrong})
    assert "Not known: temprature" in response.content.decode()
    assert not Assistant.objects.exists()


def test_staff_change_an_assistant(admin_client: Client) -> None:
    assistant = actions.create(by=BY, name="Helper")
    page = f"/admin/assistants/assistant/{assistant.pk}/change/"
    assert admin_client.get(page).status_code == 200
    admin_client.post(page, {**FORM, "name": "Better helper", "slug": "other"})
    assistant.refresh_from_db()
    assert (assistant.name, assistant.slug, assistant.version) == ("Better helper", "helper", 2)


@pytest.mark.parametrize("page", ["assistant/", "assistant/add/", "provider/", "provider/add/"])
def test_its_pages_open(admin_client: Client, page: str) -> None:
    actions.create(by=BY, name="Helper")
    actions.add_provider(by=BY, name="LLM", default_model="m")
    assert admin_client.get(f"/admin/assistants/{page}").status_code == 200


def test_a_providers_key_is_stored_and_never_shown(admin_client: Client) -> None:
    admin_client.post("/admin/assistants/provider/add/", PROVIDER)
    provider = Provider.objects.get()
    page = f"/admin/assistants/provider/{provider.pk}/change/"
    assert "canary" not in admin_client.get(page).content.decode()
    admin_client.post(page, {**PROVIDER, "api_key": "", "default_model": "n"})
    provider.refresh_from_db()
    assert (provider.api_key, provider.default_model) == ("sk-canary-3", "n")
    admin_client.post(page, {**PROVIDER, "api_key": "sk-canary-4"})
    provider.refresh_from_db()
    assert provider.api_key == "sk-canary-4"


def test_a_rejected_key_is_not_echoed(admin_client: Client) -> None:
    response = admin_client.post("/admin/assistants/provider/add/", {**PROVIDER, "api_key": "sk-canary 5"})
    assert "printable ASCII" in response.content.decode()
    assert "canary" not in response.content.decode()


def test_staff_delete_an_assistant_and_its_provider(admin_client: Client) -> None:
    provider = actions.add_provider(by=BY, name="LLM", default_model="m")
    assistant = actions.create(by=BY, name="Helper", provider=provider)
    admin_client.post(f"/admin/assistants/provider/{provider.pk}/delete/", {"post": "yes"})
    assert Provider.objects.exists()
    admin_client.post(f"/admin/assistants/assistant/{assistant.pk}/delete/", {"post": "yes"})
    admin_client.post(f"/admin/assistants/provider/{provider.pk}/delete/", {"post": "yes"})
    assert not Assistant.objects.exists()
    assert not Provider.objects.exists()


def test_a_stored_key_is_not_sent_to_another_address(admin_client: Client) -> None:
    provider = actions.add_provider(by=BY, name="LLM", api_key="sk-canary-3", default_model="m")
    url = f"/admin/assistants/provider/{provider.pk}/change/"
    moved = PROVIDER | {"api_key": "", "base_url": "https://other.example/v1"}
    assert "Give the key again" in admin_client.post(url, moved).content.decode()
    provider.refresh_from_db()
    assert (provider.base_url, provider.api_key) == ("", "sk-canary-3")
    assert admin_client.post(url, moved | {"api_key": "sk-new"}).status_code == 302
