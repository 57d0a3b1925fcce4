"""Imports into an installation that has objects of its own, and the way over a file for Git."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from assistants.models import Assistant, Provider
from core.actor import Actor
from tests.assistants.configuration import scene as configuration
from tests.assistants.importers import scene
from tools import actions as server_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """Imports a content."""

    def run(product: str, content: Any, *options: str) -> tuple[list[str], list[str]]:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(content))
        return scene.run(product, path, options=options)

    return run


def server(**fields: Any) -> MCPTool:
    given = {"name": "GitHub", "connection_type": "streamable_http", "url": "https://old.example.com/mcp"}
    return server_actions.register(by=BY, **{**given, **fields})


GITHUB = {"mcpServers": {"github": {"url": "https://new.example.com/mcp", "headers": {"X-Key": "canary"}}}}


def test_a_server_that_is_there_stays_and_is_listed(imported: Any) -> None:
    existing = server(slug="gh")

    lines, report = imported("cursor", GITHUB)

    existing.refresh_from_db()
    assert (lines, existing.url, MCPTool.objects.count()) == ([], "https://old.example.com/mcp", 1)
    assert {line.partition(": There is one")[0] for line in report} >= {
        "Left out: server gh: url: changed", "Left out: server gh: headers: X-Key added",
    }  # fmt: skip

    lines, _ = imported("cursor", GITHUB, "--update")
    existing.refresh_from_db()
    assert (existing.slug, existing.url, existing.headers) == (
        "gh",
        "https://new.example.com/mcp",
        {"X-Key": "canary"},
    )
    assert "~ server gh: url: changed" in lines


def test_a_server_with_a_transport_of_its_client_alone_is_left_out_and_the_others_come(imported: Any) -> None:
    content = {"mcpServers": {"ide": {"type": "ws-ide", "url": "ws://127.0.0.1:9"}, **GITHUB["mcpServers"]}}

    _, report = imported("claude", content)

    assert MCPTool.objects.get().name == "github"
    assert "There is no transport 'ws-ide'." in scene.left_out(report)["mcpServers.ide"]


def test_what_staff_entered_after_an_import_is_kept_by_the_next(imported: Any) -> None:
    content = {
        "mcpServers": {"a": {"command": "uvx", "args": ["a@1.0.0"], "env": {"TOKEN": "${NOT_SET_HERE}"}}}
    }
    imported("cursor", content)
    row = MCPTool.objects.get()
    assert (row.is_enabled, row.env) == (False, {"TOKEN": ""})
    server_actions.update(row, by=BY, env={"TOKEN": "entered"})
    server_actions.start(row, by=BY)

    for options in ((), ("--update",)):
        assert imported("cursor", content, *options) == ([], [])

    row.refresh_from_db()
    assert (row.is_enabled, row.env) == (True, {"TOKEN": "entered"})


def test_what_staff_gave_in_place_of_a_lost_credential_is_kept_but_not_taken_along(imported: Any) -> None:
    def content(host: str) -> Any:
        lost = {"Authorization": "Bearer {{LIBRECHAT_OPENID_TOKEN}}", "X-Kind": "a"}
        return {"mcpServers": {"a": {"url": f"https://{host}.example.com/mcp", "headers": lost}}}

    imported("librechat", content("one"))
    row = MCPTool.objects.get()
    entered = {"Authorization": "Bearer ${TOKEN}", "X-Kind": "a"}
    server_actions.update(row, by=BY, headers=entered, env={"TOKEN": "entered"})
    server_actions.start(row, by=BY)

    for options in ((), ("--update",)):
        lines, report = imported("librechat", content("one"), *options)
        assert (lines, [each for each in report if "differs" in each]) == ([], [])
    with pytest.raises(CommandError, match="the address is on another host"):
        imported("librechat", content("two"), "--update")

    row.refresh_from_db()
    assert (row.is_enabled, row.headers, row.env) == (True, entered, {"TOKEN": "entered"})


def test_assistants_providers_and_keys_with_a_name_that_is_taken_stay(imported: Any) -> None:
    actions.add_provider(by=BY, name="openai", default_model="mine", base_url="https://mine.example.com/v1")
    actions.create(by=BY, name="Other", slug="other", aliases=["gpt-4o"])
    actions.create(by=BY, name="Mine", slug="claude")
    key_actions.issue(by=BY, name="TEAM", requests_per_minute=5)
    content = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": "openai/x", "api_key": "canary"}}
            for name in ("gpt-4o", "claude", "new")
        ],
        "keys": [{"key_alias": "team", "models": ["new"], "rpm_limit": 60}],
    }

    lines, report = imported("litellm", content)

    assert lines == ["+ assistant new"]
    assert Provider.objects.get().default_model == "mine"
    assert ApiKey.objects.get().requests_per_minute == 5
    new = Assistant.objects.get(slug="new")
    assert (new.provider.name, [key.name for key in new.api_keys.all()]) == ("openai", ["TEAM"])
    said = "\n".join(report)
    assert "assistant gpt-4o: The assistant other has this name as an alias." in said
    for what in ("provider openai", "API key TEAM", "assistant claude"):
        assert f"Left out: {what}" in said
    assert "canary" not in said


def test_names_that_differ_by_their_case_or_in_nothing_get_numbers(imported: Any) -> None:
    one, other = {"command": "uvx", "args": ["a@1.0.0"]}, {"command": "uvx", "args": ["b@1.0.0"]}
    content = {
        "mcpServers": {"Files": one, "files": other, "import": one},
        "projects": {"/a": {"mcpServers": {"Files": one}}},
    }

    imported("claude", content)

    assert dict(MCPTool.objects.values_list("slug", "name")) == {
        "files": "Files", "files-2": "files 2", "import-2": "import",
    }  # fmt: skip


def test_names_get_numbers_that_are_the_same_to_the_database_alone(imported: Any) -> None:
    groups = [{"name": name} for name in ("ΟΔΟΣ", "οδοσ", "İx", "ix")]
    for expected in (4, 0):
        lines, _ = imported("mcphub", {"mcpServers": {}, "groups": groups})
        assert len(lines) == expected


def test_long_names_that_are_the_same_when_cut_get_numbers(imported: Any) -> None:
    long = "a" * 248
    imported("mcphub", {"mcpServers": {}, "groups": [{"name": f"{long} long name"}, {"name": long}]})

    assert set(Assistant.objects.values_list("name", flat=True)) == {long, f"{long} 2"}


def test_an_address_that_nothing_fills_leaves_its_server_out(imported: Any) -> None:
    content = {
        "mcpServers": {"a": {"type": "sse", "url": "${NOT_SET_HERE}/sse"}},
        "groups": [{"name": "g", "servers": ["a"]}],
    }

    lines, report = imported("mcphub", content)

    assert lines == ["+ assistant g"]
    assert "Set what it refers to for the import" in scene.left_out(report)["server a"]


def test_a_masked_secret_is_asked_for(imported: Any) -> None:
    _, report = imported(
        "cursor", {"mcpServers": {"a": {"command": "uvx", "args": ["a@1"], "env": {"TOKEN": "********"}}}}
    )

    assert not MCPTool.objects.get().is_enabled
    assert scene.to_do(report) == ["server a: give it the variable TOKEN, and start it."]


def test_a_configuration_of_open_webui_that_is_flat_is_that_which_is_nested(imported: Any) -> None:
    """Its newest releases keep `openai.api_keys` as one name; a list of models is beside it."""
    content = json.loads((scene.FILES / "open-webui.json").read_text())
    flat = {
        f"{outer}.{inner}": value
        for outer, members in content.items()
        if isinstance(members, dict)
        for inner, value in members.items()
    }
    models = json.loads((scene.FILES / "open-webui-models.json").read_text())
    tried = imported("open-webui", flat | {"workspace_models": models}, "--dry-run")

    lines, report = scene.run("open-webui")

    assert (tried[0], scene.left_out(tried[1])) == (lines, scene.left_out(report))


def test_models_of_open_webui_whose_provider_nobody_knows_are_named(imported: Any) -> None:
    lines, report = imported("open-webui", {"models": [{"id": "m", "base_model_id": "x", "name": "M"}]})

    assert lines == ["+ assistant m"]
    assert scene.to_do(report) == [
        "assistants with the model x: it is asked for at OPENAI_BASE_URL. Is it there?"
    ]


def test_an_assistant_of_librechat_without_its_provider_is_off(imported: Any) -> None:
    spec = {"name": "m", "preset": {"endpoint": "azureOpenAI", "model": "x"}}

    _, report = imported("librechat", {"modelSpecs": {"list": [spec]}})

    assert not Assistant.objects.get().is_enabled
    assert "choose its provider, and enable it" in scene.left_out(report)["modelSpecs.list[0].preset"]


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_a_file_for_git_becomes_the_same(
    product: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        "GITHUB_TOKEN", "GITHUB_PAT", "AMAP_KEY", "MY_KEY", "LEGACY_KEY", "MISTRAL_KEY",
        "FILES_LOG", "PRODUCTION_EAST_TOKEN", "WORKSPACEFOLDER", "REGION", "EXA_KEY",
    ]  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "canary")
    path = tmp_path / "config.yaml"
    scene.run(product, options=("--to", str(path)))
    scene.run(product)
    imported = configuration.export()
    assert "canary" not in path.read_text()

    # Secrets that are stored stay where a variable is not set.
    for name in names:
        monkeypatch.delenv(name)
    call_command("apply_config", str(path))

    assert configuration.export() == imported
