"""Values that are empty, are what an import could not fill, or are missing; texts that may be secrets."""

import json
from pathlib import Path

import pytest
import yaml

from assistants import actions
from core.actor import Actor
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Refused, Write
from tests.assistants.importers import scene as imports
from tools import actions as server_actions
from tools import importing
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
MASK = "********"


def test_what_an_import_could_not_fill_is_exported_empty(written: Write, tmp_path: Path) -> None:
    server = {"command": "npx", "args": ["a@1.0.0", "--token", ""], "env": {"K": "${env:NOT_SET_HERE}"}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": server}}))
    imports.run("cursor", path)
    assert MCPTool.objects.get().env == {"K": ""}

    exported = scene.export()

    (found,) = yaml.safe_load(exported)["servers"]
    assert (found["env"], found["args"]) == ({"K": ""}, ["a@1.0.0", "--token", ""])
    assert scene.apply(written(exported), "--dry-run", "--prune") == ([], "")


def test_empty_headers_and_keys_differ_in_nothing(written: Write) -> None:
    actions.add_provider(by=BY, name="House", default_model="m", api_key="")
    server_actions.register(
        by=BY, name="Web", connection_type="streamable_http", url="https://mcp.example.com/mcp",
        headers={"X-Key": "", "Y": "canary"}, env={"A": "", "B": "canary"},
    )  # fmt: skip

    assert scene.apply(written(scene.export()), "--dry-run", "--prune") == ([], "")


def test_masks_that_an_import_has_stored_differ_in_nothing(written: Write) -> None:
    file = {
        "local": {"command": "npx", "args": ["a@1.0.0", "--token", MASK, f"--k={MASK}"], "env": {"K": MASK}},
        "remote": {"url": f"https://a.example.com/mcp?key={MASK}", "headers": {"X": MASK}},
    }
    importing.apply(importing.find_servers({"mcpServers": file}), by=BY)
    assert MCPTool.objects.count() == 2

    assert scene.apply(written(scene.export()), "--dry-run", "--prune") == ([], "")


def test_all_values_that_are_missing_are_told_at_once(written: Write, refused: Refused) -> None:
    text = """
version: 1
providers: [{name: House, default_model: m, api_key: '${HOUSE_KEY}'}]
servers:
- {slug: a, name: A, connection_type: stdio, command: npx, args: ['${ONE}-${TWO}'], env: {K: '${K_KEY}'}}
webhooks: [{name: W, url: '${W_URL}', events: [server.up]}]
assistants: [{slug: h, name: H, provider: House}]
"""

    assert refused(written(text)).splitlines() == [
        "providers[0] (House): api_key: ${HOUSE_KEY} is not set in the environment, and nothing is stored.",
        "servers[0] (a): args.1: ${ONE}, ${TWO} are not set in the environment, and nothing is stored.",
        "servers[0] (a): env.K: ${K_KEY} is not set in the environment, and nothing is stored.",
        "webhooks[0] (W): url: ${W_URL} is not set in the environment, and nothing is stored.",
    ]


def test_what_may_be_a_secret_in_arguments_and_addresses_is_not_exported(written: Write) -> None:
    server_actions.register(
        by=BY, name="Files", connection_type="stdio", command="npx",
        args=["-y", "files@1.0.0", "-p", "hunter2-Passw0rd!", "/data/Projects2026"],
    )  # fmt: skip
    server_actions.register(
        by=BY, name="Web", connection_type="streamable_http",
        url="https://m.example.com/u/0123456789abcdef01234567/mcp",
    )  # fmt: skip

    exported = scene.export()

    files, web = yaml.safe_load(exported)["servers"]
    assert files["args"] == ["-y", "files@1.0.0", "-p", "${SERVER_FILES_ARG_4}", "/data/Projects2026"]
    assert web["url"] == "${SERVER_WEB_URL}"
    assert scene.apply(written(exported), "--dry-run", "--prune") == ([], "")
