"""The management API of LLM providers, against the scripted LLM."""

from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from django.conf import LazySettings

from apikeys.models import AuditEntry
from assistants.models import Assistant, Provider
from tests.assistants.api.conftest import Client
from tests.llm import ScriptedLLM

SECRET, MASK = "sk-canary-5511", "********"
LLM = {"name": "LLM", "base_url": "https://llm.example/v1", "api_key": SECRET, "default_model": "m"}


def test_a_key_goes_in_and_only_a_mask_comes_out(api: Client) -> None:
    created = api.create("providers", LLM)
    assert set(created) == {
        "id", "version", "name", "kind", "base_url", "api_key", "default_model", "fetch_images",
        "created_at", "updated_at",
    }  # fmt: skip
    assert (created["api_key"], created["kind"], created["fetch_images"]) == (MASK, "openai", False)
    assert api.read("providers") == [created]
    assert Provider.objects.get().api_key == SECRET
    assert SECRET not in str(list(AuditEntry.objects.values()))


def test_the_mask_sent_back_leaves_the_key_unchanged(api: Client) -> None:
    created = api.create("providers", LLM)
    path = f"providers/{created['id']}"
    changed = api.change(path, {"api_key": MASK, "name": "Other"})
    assert (changed["name"], changed["api_key"], changed["version"]) == ("Other", MASK, 2)
    assert Provider.objects.get().api_key == SECRET
    assert api.change(path, {"api_key": ""})["api_key"] == ""
    assert Provider.objects.get().api_key == ""


def test_images_may_be_fetched_for_a_provider(api: Client) -> None:
    path = f"providers/{api.create('providers', LLM)['id']}"
    assert api.change(path, {"fetch_images": True})["fetch_images"]
    assert Provider.objects.get().fetch_images
    status, error = api.refused("patch", path, {"fetch_images": "perhaps"})
    assert (status, list(error["details"]["fields"])) == (422, ["fetch_images"])


def test_a_stored_key_is_not_sent_to_another_address(api: Client) -> None:
    path = f"providers/{api.create('providers', LLM)['id']}"
    elsewhere = {"base_url": "https://thief.example/v1"}
    for body in (elsewhere, elsewhere | {"api_key": MASK}):
        status, error = api.refused("patch", path, body)
        assert (status, list(error["details"]["fields"])) == (422, ["api_key"])
    assert Provider.objects.get().base_url == LLM["base_url"]
    api.change(path, elsewhere | {"api_key": "sk-other"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"kind": "oracle"}, "kind"),
        ({"default_model": "nul\0"}, "default_model"),
        ({"base_url": "ftp://llm"}, "base_url"),
        ({"base_url": "http://169.254.169.254/"}, "base_url"),
        ({"base_url": "http://[::1"}, "base_url"),
        ({"base_url": "http://host:port/v1"}, "base_url"),
        ({"base_url": "http://127.0.0.1:5432/"}, "base_url"),
        ({"base_url": "http://[::ffff:10.0.0.1]/v1"}, "base_url"),
        ({"api_key": "two\nlines"}, "api_key"),
        ({"api_key": ["sk"]}, "api_key"),
        ({"organisation": "x"}, "organisation"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    api: Client, fields: dict[str, Any], field: str
) -> None:
    status, error = api.refused("post", "providers", LLM | fields)
    assert (status, list(error["details"]["fields"])) == (422, [field])
    assert SECRET not in str(error)
    assert not Provider.objects.exists()


def test_names_are_unique(api: Client) -> None:
    api.create("providers", LLM)
    status, error = api.refused("post", "providers", LLM | {"name": "llm"})
    assert (status, error["type"]) == (409, "already_taken")


def test_a_provider_in_use_is_deleted_only_by_force(api: Client) -> None:
    provider = api.create("providers", LLM)
    api.create("assistants", {"name": "Helper", "provider_id": provider["id"]})
    status, error = api.refused("delete", f"providers/{provider['id']}")
    assert (status, error["type"]) == (409, "in_use")
    assert "helper" in error["message"]
    assert api.delete(f"/api/v1/providers/{provider['id']}?force=true").status_code == 204
    assert api.read("assistants/helper")["provider_id"] is None


@pytest.fixture
def provider(api: Client, llm: ScriptedLLM, settings: LazySettings) -> dict[str, Any]:
    settings.ALLOWED_PRIVATE_HOSTS = [urlsplit(llm.url).netloc]
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    return api.create("providers", LLM | {"base_url": llm.base_url, "default_model": "provider-test"})


def outcome_of(api: Client, provider_id: object, **body: str) -> dict[str, Any]:
    response = api.post(f"/api/v1/providers/{provider_id}/test", body, format="json")
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_a_test_asks_the_service_as_a_chat_would(
    api: Client, llm: ScriptedLLM, provider: dict[str, Any]
) -> None:
    llm.script("provider-test", {"text": "Ready."})
    outcome = outcome_of(api, provider["id"])
    assert (outcome["ok"], outcome["model"], outcome["answer"]) == (True, "provider-test", "Ready.")
    [asked] = llm.requests("provider-test")
    assert asked["headers"]["authorization"] == f"Bearer {SECRET}"
    assert asked["body"]["max_tokens"] <= 16


def test_a_test_reports_what_failed(api: Client, llm: ScriptedLLM, provider: dict[str, Any]) -> None:
    llm.script("other-model", {"status": 401, "body": f'{{"error": {{"message": "bad key {SECRET}"}}}}'})
    outcome = outcome_of(api, provider["id"], model="other-model")
    assert (outcome["ok"], outcome["error"]["code"]) == (False, "upstream_auth_error")
    assert SECRET not in str(outcome)


def test_a_test_refuses_what_is_no_longer_allowed(
    api: Client, llm: ScriptedLLM, provider: dict[str, Any], settings: LazySettings
) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = []
    llm.script("provider-test", {"text": "Ready."})
    assert outcome_of(api, provider["id"])["ok"] is False
    assert llm.requests("provider-test") == []


def test_the_provider_of_the_environment_is_shown_and_tested(
    api: Client, llm: ScriptedLLM, settings: LazySettings
) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = llm.base_url, SECRET
    settings.OPENAI_MODEL = "environment-test"
    shown = api.read("providers/environment")
    assert (shown["id"], shown["api_key"], shown["default_model"]) == (None, MASK, "environment-test")
    llm.script("environment-test", {"text": "Ready."})
    assert outcome_of(api, "environment")["ok"] is True
    assert api.refused("patch", "providers/environment", {"name": "Mine"})[0] == 404
    assert api.refused("delete", "providers/environment")[0] == 404


def test_large_numbers_among_the_parameters_can_be_sent_to_the_llm(api: Client) -> None:
    """PostgreSQL writes 1e300 as an integer of three hundred digits."""
    api.create("assistants", {"name": "Helper", "parameters": {"extra": {"seed": 1e300}}})
    stored = Assistant.objects.get(slug="helper").parameters
    assert orjson.loads(orjson.dumps(stored)) == {"extra": {"seed": 1e300}}
