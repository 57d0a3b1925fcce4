"""Names that other products have in common with secrets of this installation: those fill nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from assistants import actions
from assistants.models import Provider
from core.actor import Actor
from tests.assistants.importers import scene
from tools import actions as server_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
CANARY = "canary-of-the-installation"
SERVER = {
    "mcpServers": {
        "a": {"url": "https://a.example.com/mcp", "headers": {"X": "${SECRET_KEY}", "Y": "${METRICS_TOKEN}"}}
    }
}
ELSEWHERE = {
    "model_list": [
        {
            "model_name": "m",
            "litellm_params": {
                "model": "openai/x", "api_base": "https://evil.example.com/v1",
                "api_key": "os.environ/OPENAI_API_KEY",
            },
        }
    ]
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "METRICS_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, CANARY)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: Any) -> Path:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_server_that_refers_to_some_is_asked_for_them(file: Any) -> None:
    _, report = scene.run("cursor", file(SERVER))

    row = MCPTool.objects.get()
    assert (row.env, row.is_enabled) == ({"SECRET_KEY": "", "METRICS_TOKEN": ""}, False)
    assert row.headers == {"X": "${SECRET_KEY}", "Y": "${METRICS_TOKEN}"}
    assert "the variable SECRET_KEY, the variable METRICS_TOKEN" in scene.to_do(report)[0]


def test_the_key_of_the_installation_goes_to_no_other_provider(file: Any) -> None:
    _, report = scene.run("litellm", file(ELSEWHERE))

    assert Provider.objects.get().api_key == ""
    told = "give it its API key: OPENAI_API_KEY is a secret of this installation."
    assert [step for step in scene.to_do(report) if told in step]


def test_one_that_the_file_itself_gives_is_its_own(file: Any) -> None:
    scene.run("litellm", file({**ELSEWHERE, "environment_variables": {"OPENAI_API_KEY": "theirs"}}))

    assert Provider.objects.get().api_key == "theirs"


def test_what_was_entered_in_their_place_is_kept(file: Any) -> None:
    scene.run("cursor", file(SERVER))
    entered = {"SECRET_KEY": "one", "METRICS_TOKEN": "other"}
    server_actions.update(MCPTool.objects.get(), by=BY, env=entered)
    assert scene.run("cursor", file(SERVER), options=("--update",)) == ([], [])
    assert MCPTool.objects.get().env == entered

    scene.run("litellm", file(ELSEWHERE))
    actions.update_provider(Provider.objects.get(), by=BY, api_key="entered")
    scene.run("litellm", file(ELSEWHERE), options=("--update",))
    assert Provider.objects.get().api_key == "entered"


def test_a_file_for_git_refers_to_none_of_them(
    file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "config.yaml"
    _, report = scene.run("cursor", file(SERVER), options=("--to", str(written)))
    wanted = "set SERVER_A_SECRET_KEY for apply_config: it is env SECRET_KEY of server a;"
    assert [step for step in scene.to_do(report) if step.startswith(wanted)]

    monkeypatch.setenv("SERVER_A_SECRET_KEY", "one")
    monkeypatch.setenv("SERVER_A_METRICS_TOKEN", "other")
    call_command("apply_config", str(written))

    assert MCPTool.objects.get().env == {"SECRET_KEY": "one", "METRICS_TOKEN": "other"}
