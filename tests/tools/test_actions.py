from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from core.actor import Actor
from tools import actions
from tools.models import MCPTool

BY = Actor.system("tests")
STDIO = {"name": "Time", "connection_type": "stdio", "command": "mcp-server-time"}


@pytest.mark.django_db
def test_a_server_is_registered_to_run() -> None:
    server = actions.register(by=BY, **STDIO)
    assert (server.slug, server.is_enabled, server.generation) == ("time", True, 1)
    assert list(MCPTool.objects.wanted()) == [server]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"connection_type": "telepathy"}, "connection_type"),
        ({"command": ""}, "command"),
        ({"args": "--flag"}, "args"),
        ({"args": ["nul\0"]}, "args"),
        ({"env": {"A": 1}}, "env"),
        ({"connection_type": "sse", "url": "file:///etc/passwd"}, "url"),
        ({"connection_type": "streamable_http", "url": ""}, "url"),
        ({"connection_type": "sse", "url": "http://a", "headers": {"A": None}}, "headers"),
        ({"call_timeout_s": 0}, "call_timeout_s"),
        ({"replicas": 99}, "replicas"),
    ],
)
def test_settings_that_cannot_run_are_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.register(by=BY, **{**STDIO, **changes})
    assert field in refusal.value.message_dict
    assert not MCPTool.objects.exists()


@pytest.mark.django_db
def test_each_change_of_intent_counts_a_generation() -> None:
    server = actions.register(by=BY, **STDIO)
    for verb in (actions.stop, actions.start, actions.restart):
        verb(server, by=BY)
    server.refresh_from_db()
    assert (server.generation, server.version) == (4, 4)


@pytest.mark.django_db
def test_a_slug_never_changes() -> None:
    server = actions.register(by=BY, **STDIO)
    with pytest.raises(ValidationError):
        actions.update(server, by=BY, slug="other")


@pytest.mark.django_db
def test_a_deleted_server_frees_its_name() -> None:
    actions.delete(actions.register(by=BY, **STDIO), by=BY)
    assert not MCPTool.objects.present().exists()
    assert actions.register(by=BY, **STDIO).slug == "time"


@pytest.mark.django_db
def test_secrets_are_encrypted_at_rest() -> None:
    actions.register(by=BY, **STDIO, env={"TOKEN": "canary-5f1c"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT tools_mcptool::text FROM tools_mcptool")
        assert "canary" not in cursor.fetchone()[0]
    assert MCPTool.objects.get().env == {"TOKEN": "canary-5f1c"}
