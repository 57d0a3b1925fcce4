"""Files that are not what they should be: one message, status 1, and nothing is done."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from apikeys.models import AuditEntry
from assistants.importers import products
from assistants.models import Provider
from tests.assistants.importers import scene
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
SERVER = {"command": "uvx", "args": ["a@1.0.0"]}


def refused(tmp_path: Path, product: str, *texts: str | bytes, options: tuple[str, ...] = ()) -> str:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommandError) as caught:
        scene.run(product, *paths, options=options)
    assert caught.value.returncode == 1
    assert not (MCPTool.objects.exists())
    assert not (Provider.objects.exists())
    assert not (AuditEntry.objects.exists())
    return str(caught.value)


@pytest.mark.parametrize("product", scene.PRODUCTS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty document"),
        ("{}", "This is no file of"),
        ("text", "no file of"),
        ('"text"', "at line 1, column"),
        ('{"mcpServers": {', "at line 1, column"),
        ('{"mcpServers": {"a": {}, "a": {}}}', "twice"),
        (b"\xff\xfe\xe9", "not in UTF-8"),
        ("a: &a [*a]", "aliases"),
        ("a: " + "[" * 90 + "]" * 90, "nested deeper"),
        ('{"a": ' * 90 + "1" + "}" * 90, "nested deeper"),
    ],
)
def test_a_broken_file(product: str, text: str | bytes, said: str, tmp_path: Path) -> None:
    message = refused(tmp_path, product, text)

    assert said in message
    assert "request" not in message


@pytest.mark.parametrize(
    ("product", "of", "hint"),
    [
        ("litellm", "librechat", "librechat"),
        ("contextforge", "mcphub", "mcphub"),
        ("vscode", "cursor", "cursor"),
        ("open-webui", "litellm", "litellm"),
    ],
)
def test_a_file_of_another_product(product: str, of: str, hint: str, tmp_path: Path) -> None:
    said = refused(tmp_path, product, (scene.FILES / scene.PRODUCTS[of][0]).read_bytes())

    assert said.startswith("This is no file of")
    assert hint in said


@pytest.mark.parametrize(
    ("product", "of"),
    [(product, of) for product in scene.PRODUCTS for of in scene.PRODUCTS if of not in {product, "cursor"}],
)
def test_a_file_with_marks_of_another_product_is_refused_by_each(
    product: str, of: str, tmp_path: Path
) -> None:
    said = refused(tmp_path, product, (scene.FILES / scene.PRODUCTS[of][0]).read_bytes())

    assert said.startswith(f"This is no file of {products.PRODUCTS[product].title}: it has ")
    assert said.endswith(f" It looks like one of: {of}.")


@pytest.mark.parametrize(
    ("product", "content", "said"),
    [
        ("litellm", {"model_list": {}}, "model_list: Give a list."),
        ("litellm", {"model_list": ["x"]}, "model_list[0]: Give an object."),
        ("litellm", {"model_list": [{"model_name": ["canary"]}]}, "model_list[0].model_name: Give a text."),
        ("litellm", {"mcp_servers": {"a": {"args": "canary"}}}, "mcp_servers.a.args: Give a list of texts."),
        ("litellm", {"mcp_servers": {"a": {"timeout": "canary"}}}, "mcp_servers.a.timeout: Give a number."),
        ("litellm", {"keys": [{"rpm_limit": 1e300}]}, "keys[0].rpm_limit: Give a number."),
        ("litellm", {"keys": [{"expires": "canary"}]}, "keys[0].expires: Give a date with a time"),
        ("mcphub", {"mcpServers": {"a": {**SERVER, "env": ["canary"]}}}, "mcpServers.a.env: Give an object"),
        ("metamcp", {"namespaces": 5}, "namespaces: Give a list."),
        ("contextforge", {"entities": []}, "entities: Give an object."),
        ("open-webui", {"openai": {"api_keys": [5]}}, "openai.api_keys: Give a list of texts."),
        ("librechat", {"endpoints": {"custom": {}}}, "endpoints.custom: Give a list."),
        ("cursor", {"mcpServers": {"a": "canary"}}, "mcpServers.a.server: Give the server as an object."),
        ("claude", {"mcpServers": "canary"}, "mcpServers: Give the servers as an object"),
        ("vscode", {"servers": {"a": {"command": ["canary"]}}}, "servers.a.command: Give a text."),
    ],
)
def test_something_of_another_type_is_named_with_its_place(
    product: str, content: Any, said: str, tmp_path: Path
) -> None:
    message = refused(tmp_path, product, json.dumps(content))

    assert said in message
    assert "canary" not in message.replace("transport 'canary'", "")


@pytest.mark.parametrize("address", ["http://[", "http://\uff0f/mcp"])
def test_a_malformed_address_is_left_out(address: str, tmp_path: Path) -> None:
    content = {
        "openai": {"api_base_urls": [address]},
        "tool_server": {"connections": [{"type": "mcp", "url": address}]},
    }
    (tmp_path / "config.json").write_text(json.dumps(content))

    lines, report = scene.run("open-webui", tmp_path / "config.json")

    assert lines == []
    assert scene.left_out(report).keys() >= {"openai[0]", "tool_server.connections[0]"}


def test_a_bad_entry_behind_good_ones_undoes_nothing_since_nothing_was_done(tmp_path: Path) -> None:
    content = {"mcpServers": {"good": SERVER, "bad": {"command": 5, "args": {}}}}
    assert "mcpServers.bad.args" in refused(tmp_path, "cursor", json.dumps(content))


def test_what_an_application_refuses_undoes_all(tmp_path: Path) -> None:
    long = {"model_name": "x", "litellm_params": {"model": "openai/" + "m" * 300}}
    said = refused(tmp_path, "litellm", json.dumps({"mcp_servers": {"good": SERVER}, "model_list": [long]}))
    assert "255" in said


def test_files_are_read_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LONGEST", 10)
    assert (
        refused(tmp_path, "cursor", json.dumps({"mcpServers": {"a": SERVER}})) == "The file is over 10 bytes."
    )


def test_yaml_is_read_up_to_a_size_of_its_own(tmp_path: Path) -> None:
    text = "model_list: []\nx: " + "y" * 1_100_000
    assert "characters of YAML" in refused(tmp_path, "litellm", text)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ('model_list: [{model_name: "a\\0"}]', "holds a character that cannot be stored"),
        ("model_list: [{model_name: 2020-01-01}]", "model_list[0].model_name: Give a text."),
        ("model_list: [{model_name: a, litellm_params: {model: openai/x, stop: [2020-01-01]}}]", "stop"),
        (
            "model_list: [{model_name: a, litellm_params: {model: openai/x, seed: .nan}}]",
            "Give a finite number.",
        ),
        (f"model_list: [{{model_name: 0x{'f' * 5000}}}]", "at line 1, column 27: the number"),
        (f"model_list: []\n? 0x{'f' * 5000}\n: 1", "at line 2, column 3: the number"),
        (f"router_settings: {{model_group_alias: {{a: 0x{'f' * 5000}}}}}", "the number has more than"),
        ("? [a]\n: 1", "Neither valid JSON nor valid YAML"),
        ("model_list: !!python/object:os.system {}", "Neither valid JSON nor valid YAML"),
    ],
)
def test_values_that_only_yaml_has(yaml: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, "litellm", yaml)


def test_two_files_with_the_same_part_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    text = json.dumps({"mcp_servers": {"a": SERVER}})
    assert "Two of the files have it" in refused(tmp_path, "litellm", text, text)
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        scene.run("litellm", tmp_path / "none")


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    text = json.dumps({"mcpServers": {"a": SERVER}})
    said = refused(tmp_path, "cursor", text, options=("--to", str(tmp_path / "config.yaml")))
    assert "is there already" in said
    assert (tmp_path / "config.yaml").read_text() == "mine"


def large(servers: int) -> dict[str, Any]:
    """Returns what MCPHub has of so many servers, with a group and a key for each hundredth."""
    names = [f"server {number}" for number in range(servers)]
    groups = [{"name": f"group {number}", "servers": names[number::100]} for number in range(100)]
    keys = [{"name": f"key {number}", "token": "canary", "accessType": "all"} for number in range(100)]
    return {
        "mcpServers": {name: {"command": "uvx", "args": [f"{name[7:]}@1.0.0"]} for name in names},
        "groups": groups,
        "bearerKeys": keys,
    }


def test_a_large_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps(large(300)))

    lines, report = scene.run("mcphub", tmp_path / "mcp.json")

    assert MCPTool.objects.count() == 300
    assert len(lines) == 500
    assert len(scene.left_out(report)) == 100


def test_an_export_of_ten_thousand_servers_is_read() -> None:
    draft = products.read("mcphub", [json.dumps(large(10_000)).encode()], environ={})

    assert len(draft.servers) == 10_000
    assert sum(len(each.tools) for each in draft.assistants) == 10_000


@pytest.mark.parametrize(
    ("product", "content", "path", "why"),
    [
        ("mcphub", {"mcpServers": {"a": {}}}, "mcpServers.a", "the command that starts the server. Change"),
        (
            "open-webui",
            [{"id": "m", "name": "M", "meta": {"toolIds": ["server:mcp:tickets"]}}],
            "workspace_models[0].meta.toolIds",
            "server:mcp:tickets: No MCP server of this id came over: name the file of Export Config, too.",
        ),
        ("librechat", {"endpoints": {"agents": {"recursionLimit": 5}}}, "endpoints.agents", "stay with it."),
    ],
)
def test_what_did_not_come_over_is_told_with_what_can_be_done(
    product: str, content: Any, path: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "file.json").write_text(json.dumps(content))
    _, report = scene.run(product, tmp_path / "file.json")
    assert why in scene.left_out(report)[path]


def test_settings_that_nobody_knows_are_listed(tmp_path: Path) -> None:
    content = {
        "mcp_servers": {"a": {**SERVER, "transport": "stdio", "x_new": {"deep": "canary"}, "\x1b[31m": 1}},
        "new_section": ["canary"],
    }
    (tmp_path / "config.json").write_text(json.dumps(content))

    _, report = scene.run("litellm", tmp_path / "config.json")

    assert scene.left_out(report).keys() == {
        "mcp_servers.a.x_new", "mcp_servers.a.'\\x1b[31m'", "new_section",
    }  # fmt: skip
