"""Rules for assistants and providers.

What REST refuses the admin refuses too, beside the field at fault, and neither changes a row.
"""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from assistants import actions
from assistants.models import Assistant, AssistantTool, Provider
from tests.console.conftest import fields_of
from tests.console.pages import ASSISTANTS, BY, PROVIDERS, choose_tools, errors_of, send
from tools import actions as tool_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db


def test_a_slug_that_is_an_alias_is_told_beside_it(api: APIClient, admin_client: Client) -> None:
    actions.create(by=BY, name="First", aliases=["helper"])
    body = {"name": "Second", "slug": "helper"}
    assert api.post("/api/v1/assistants", body, format="json").status_code == 409
    assert list(errors_of(send(admin_client, ASSISTANTS, **body))) == ["slug"]
    assert Assistant.objects.count() == 1


WRONG_USES = [
    ("functions", {"functions": ["now", "unknown"]}),
    ("pinned", {"pinned": ["unknown"]}),
    ("functions", {"functions": []}),
    ("functions", {"functions": 7}),
    ("functions", {"functions": {"now": 1}}),
    ("functions", {"functions": [1]}),
    ("functions", {"functions": ["x" * 256]}),
    ("functions", {"functions": ["now"] * 501}),
    ("pinned", {"pinned": [None]}),
    ("pinned", {"pinned": 0}),
    ("pinned", {"pinned": ["now"] * 101}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG_USES)
def test_functions_that_are_not_there_are_refused(
    api: APIClient, admin_client: Client, clock: MCPTool, field: str, wrong: dict[str, Any]
) -> None:
    body = {"name": "Helper", "tools": [{"mcp_tool_id": clock.pk, **wrong}]}
    assert list(fields_of(api.post("/api/v1/assistants", body, format="json"))) == ["tools"]
    helper = actions.create(by=BY, name="Helper", slug="helper", tools=[clock])
    use = {"server": clock.pk, "functions": None, "pinned": [], **wrong}
    refused: Any = choose_tools(admin_client, helper, use)
    assert refused.status_code == 422
    assert refused.context["errors"]
    link = AssistantTool.objects.get()
    assert (link.functions, link.pinned) == (None, [])


def test_a_deleted_server_is_used_by_nobody(api: APIClient, admin_client: Client, clock: MCPTool) -> None:
    helper = actions.create(by=BY, name="Helper")
    tool_actions.delete(clock, by=BY)
    for body in ({"mcp_tool_ids": [clock.pk]}, {"tools": [{"mcp_tool_id": clock.pk}]}):
        assert fields_of(api.post("/api/v1/assistants", {"name": "Other", **body}, format="json"))
    use = {"server": clock.pk, "functions": None, "pinned": []}
    assert choose_tools(admin_client, helper, use).status_code == 422
    assert not AssistantTool.objects.exists()


def test_tools_of_an_assistant_are_changed_by_the_verb(admin_client: Client, clock: MCPTool) -> None:
    helper = actions.create(by=BY, name="Helper", slug="helper")
    use = {"server": clock.pk, "functions": ["now"], "pinned": ["now"]}
    assert choose_tools(admin_client, helper, use).status_code == 302
    link = AssistantTool.objects.get()
    assert (link.functions, link.pinned) == (["now"], ["now"])
    helper.refresh_from_db()
    assert helper.version == 2
    entry = AuditEntry.objects.get(action="updated")
    assert entry.after == {"tools": [{"mcp_tool_id": clock.pk, "functions": ["now"], "pinned": ["now"]}]}
    assert choose_tools(admin_client, helper).status_code == 302
    assert not AssistantTool.objects.exists()


def test_a_page_that_is_saved_unchanged_changes_nothing(admin_client: Client) -> None:
    helper = actions.create(by=BY, name="Helper", slug="helper")
    assert send(admin_client, ASSISTANTS, helper, learns="on").status_code == 302
    helper.refresh_from_db()
    assert helper.version == 1


WRONG_PROVIDERS = [
    ("api_key", {"api_key": "k" * 4097}),
    ("api_key", {"api_key": "two words"}),
    ("base_url", {"base_url": "http://10.0.0.1/v1"}),
    ("base_url", {"base_url": "https://" + "x" * 2048}),
    ("kind", {"kind": "abacus"}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG_PROVIDERS)
def test_wrong_providers_are_not_saved(
    api: APIClient, admin_client: Client, field: str, wrong: dict[str, Any]
) -> None:
    body = {"name": "LLM", "default_model": "m", **wrong}
    assert list(fields_of(api.post("/api/v1/providers", body, format="json"))) == [field]
    assert list(errors_of(send(admin_client, PROVIDERS, **wrong))) == [field]
    assert not Provider.objects.exists()


@pytest.mark.parametrize("moved", [{"base_url": "https://other.example/v1"}, {"kind": "anthropic"}])
def test_a_stored_key_does_not_follow_to_another_service(
    api: APIClient, admin_client: Client, moved: dict[str, str]
) -> None:
    provider = actions.add_provider(by=BY, name="LLM", api_key="sk-1", default_model="m")
    url = f"/api/v1/providers/{provider.pk}"
    for sent in (moved, {**moved, "api_key": "********"}):
        assert list(fields_of(api.patch(url, sent, format="json"))) == ["api_key"]
    assert list(errors_of(send(admin_client, PROVIDERS, provider, **moved))) == ["api_key"]
    provider.refresh_from_db()
    assert (provider.kind, provider.base_url, provider.version) == ("openai", "", 1)
    assert send(admin_client, PROVIDERS, provider, **moved, api_key="sk-2").status_code == 302
