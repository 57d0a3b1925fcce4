"""What is exported can be applied, there and on an empty database, and holds no secret."""

import pytest
import yaml

from apikeys.models import ApiKey, AuditEntry
from assistants.configuration import schema
from assistants.models import Assistant, Provider, Rule, Webhook
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Write
from tools.functions.catalogue import record
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db


def test_an_export_holds_no_secret_and_refers_to_each() -> None:
    scene.build()

    exported = scene.export()

    assert [secret for secret in scene.SECRETS if secret in exported] == []
    assert sorted(scene.names_in(exported)) == [
        "PROVIDER_MODEL_HOUSE_API_KEY",
        "SERVER_FILES_ARG_4",
        "SERVER_FILES_TOKEN",
        "SERVER_WEB_HEADER_X_KEY",
        "SERVER_WEB_TOKEN",
        "WEBHOOK_PAGER_URL",
    ]
    assert yaml.safe_load(exported)["servers"][1]["headers"]["Authorization"] == "Bearer ${TOKEN}"


def test_what_was_just_exported_differs_in_nothing(written: Write) -> None:
    scene.build()
    path = written(scene.export())
    entries = AuditEntry.objects.count()

    assert scene.apply(path, "--dry-run") == ([], "")
    assert scene.apply(path, "--prune") == ([], "")
    assert AuditEntry.objects.count() == entries


def test_an_export_applied_to_an_empty_database_is_exported_as_it_was(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.build()
    exported = scene.export()
    path = written(exported)
    for name in scene.names_in(exported):
        monkeypatch.setenv(
            name,
            "https://hooks.example.com/secret-8f3a9c2e7b1d4f6a" if name.endswith("URL") else f"of-{name}",
        )
    monkeypatch.setenv("SERVER_FILES_ARG_4", scene.SECRETS[3])
    scene.clear()

    lines, steps = scene.apply(path)

    assert [line for line in lines if not line.startswith(("+ ", "~ tool "))] == []
    assert scene.export() == exported
    assert "API key alice: nobody has seen its secret" in steps
    assert "webhook Pager: nobody has seen its secret" in steps
    assert Provider.objects.get().api_key == "of-PROVIDER_MODEL_HOUSE_API_KEY"
    assert MCPTool.objects.get(slug="web").headers["X-Key"] == "of-SERVER_WEB_HEADER_X_KEY"
    assert scene.apply(path, "--prune") == ([], "")
    assert set(AuditEntry.objects.filter(actor_name="apply_config").values_list("actor_kind", flat=True)) == {
        "system"
    }


def test_settings_of_tools_hold_from_their_first_listing_on(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.build()
    exported = scene.export()
    for name in scene.names_in(exported):
        monkeypatch.setenv(name, "https://hooks.example.com/1")
    scene.clear()
    scene.apply(written(exported))
    server = MCPTool.objects.get(slug="files")

    # `read` is not what was approved, and nothing was ever said of `new`.
    definitions = [
        scene.definition("read", "It does harm."),
        scene.definition("write"),
        scene.definition("new"),
    ]
    record(server.pk, definitions)

    tools = {tool.name: tool for tool in ToolFunction.objects.all()}
    assert {name: tool.approval for name, tool in tools.items()} == {
        "read": "changed", "write": "approved", "new": "approved",
    }  # fmt: skip
    assert (tools["write"].public_name, tools["write"].is_enabled) == ("files__put", False)
    assert list(ToolFunction.objects.offered().values_list("name", flat=True)) == ["new"]


@pytest.mark.parametrize(
    ("entry", "model"),
    [
        (schema.ProviderEntry, Provider), (schema.ServerEntry, MCPTool), (schema.AssistantEntry, Assistant),
        (schema.KeyEntry, ApiKey), (schema.WebhookEntry, Webhook), (schema.RuleEntry, Rule),
    ],
)  # fmt: skip
def test_an_entry_has_each_field_that_staff_set_with_the_default_of_the_model(entry, model) -> None:
    ours = {"slug", "tools", "position", "scope", "conditions", "effect", "told"}
    set_by_staff = {
        field.name: field for field in model._meta.fields if field.editable and not field.auto_created
    }
    derived = {"embedding", "embedder", "next_embedding", "next_embedder", "indexed_hash"}
    derived |= {"last_healthy_at", "announced", "asked_back_at"}
    usual = schema.defaults(entry)

    assert set_by_staff.keys() - entry.model_fields.keys() - ours - derived == set()
    differing = {
        name: (value, set_by_staff[name].get_default())
        for name, value in usual.items()
        if name in set_by_staff
        and value != set_by_staff[name].get_default()
        and (value or set_by_staff[name].get_default())
    }
    assert differing == {}
