"""References to secrets: filled from the environment, else what is stored stays."""

import pytest

from assistants import actions
from assistants.models import Provider
from core.actor import Actor
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Refused, Write
from tools import actions as server_actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
PROVIDER = "version: 1\nproviders: [{name: House, default_model: m, api_key: '${HOUSE_KEY}'%s}]"
SERVER = """
version: 1
servers:
- {slug: web, name: Web, connection_type: streamable_http, url: '%s', env: {TOKEN: '${WEB_TOKEN}', TZ: UTC},
   headers: {Authorization: 'Bearer ${TOKEN}', X-Key: 'k ${WEB_KEY}'}}
"""


def test_a_reference_is_filled_from_the_environment_and_its_value_is_not_told(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY", "canary-1")
    path = written(PROVIDER % "")

    assert scene.apply(path)[0] == ["+ provider House"]
    monkeypatch.setenv("HOUSE_KEY", "canary-2")
    assert scene.apply(path)[0] == ["~ provider House: api_key: changed"]
    assert Provider.objects.get().api_key == "canary-2"


@pytest.mark.parametrize("value", [None, ""])
def test_one_that_is_not_set_keeps_what_is_stored(
    written: Write, monkeypatch: pytest.MonkeyPatch, value
) -> None:
    actions.add_provider(by=BY, name="House", default_model="m", api_key="canary")
    if value is not None:
        monkeypatch.setenv("HOUSE_KEY", value)

    assert scene.apply(written(PROVIDER % "")) == ([], "")
    assert Provider.objects.get().api_key == "canary"


def test_one_that_is_not_set_is_refused_where_nothing_is_stored(written: Write, refused: Refused) -> None:
    said = refused(written(PROVIDER % ""))

    assert (
        said
        == "providers[0] (House): api_key: ${HOUSE_KEY} is not set in the environment, and nothing is stored."
    )
    assert not Provider.objects.exists()


def test_a_kept_secret_does_not_follow_to_another_address_and_a_given_one_does(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.add_provider(by=BY, name="House", default_model="m", api_key="canary")
    path = written(PROVIDER % ", base_url: 'https://llm.example.com/v1'")

    assert "Give the key again" in refused(path)
    monkeypatch.setenv("HOUSE_KEY", "canary")
    assert scene.apply(path)[0] == ['~ provider House: base_url: "" -> "https://llm.example.com/v1"']


def test_references_to_a_servers_own_variables_stay_as_they_are(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_TOKEN", "canary-1")
    monkeypatch.setenv("WEB_KEY", "canary-2")
    monkeypatch.setenv("TOKEN", "not this one")

    scene.apply(written(SERVER % "https://mcp.example.com/mcp"))

    server = MCPTool.objects.get()
    assert server.env == {"TOKEN": "canary-1", "TZ": "UTC"}
    assert server.headers == {"Authorization": "Bearer ${TOKEN}", "X-Key": "k canary-2"}


def test_headers_of_a_server_are_kept_by_name_and_for_one_host(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = {"Authorization": "Bearer ${TOKEN}", "X-Key": "canary-2"}
    server_actions.register(
        by=BY, name="Web", connection_type="streamable_http", url="https://mcp.example.com/mcp",
        env={"TOKEN": "canary-1", "OLD": "1"}, headers=stored,
    )  # fmt: skip

    lines, _ = scene.apply(written(SERVER % "https://mcp.example.com/mcp"))

    assert lines == ["~ server web: env: OLD removed, TZ added"]
    assert MCPTool.objects.get().headers == stored
    assert "headers: Give it again" in refused(written(SERVER % "https://elsewhere.example.com/mcp"))
    monkeypatch.setenv("WEB_TOKEN", "canary-1")
    monkeypatch.setenv("WEB_KEY", "canary-2")
    lines, _ = scene.apply(written(SERVER % "https://elsewhere.example.com/mcp"))
    assert lines == ["~ server web: url: changed", "~ server web: headers: X-Key changed"]


def test_an_argument_is_kept_in_its_place_alone(written: Write, refused: Refused) -> None:
    server_actions.register(
        by=BY, name="Files", connection_type="stdio", command="npx", args=["files", "--token", "canary-1"]
    )
    text = (
        "version: 1\nservers: [{slug: files, name: Files, connection_type: stdio, command: npx, args: [%s]}]"
    )

    assert scene.apply(written(text % "files, --token, '${FILES_TOKEN}'")) == ([], "")
    assert "args.2: ${FILES_TOKEN} is not set" in refused(written(text % "--token, '${FILES_TOKEN}'"))


def test_what_no_key_decrypts_is_not_exported_as_if_there_were_none(settings, refused: Refused) -> None:
    actions.add_provider(by=BY, name="House", default_model="m", api_key="canary")
    Provider.objects.update(api_key="other")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE assistants_provider SET api_key = 'gAAAAA' || repeat('A', 94)")

    assert "provider House: api_key cannot be decrypted" in refused(None)
