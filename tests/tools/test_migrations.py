"""The migration that encrypts arguments and URLs, and its reverse."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests import database
from tools.models import MCPTool

BEFORE, AFTER = ("tools", "0002_feed"), ("tools", "0003_secrets_and_changes")


def migrate(target: tuple[str, str]) -> None:
    MigrationExecutor(connection).migrate([target])


@pytest.fixture
def before(django_db_blocker: Any) -> Iterator[None]:
    """In a database of its own, for which half of the migrations are enough."""
    database.create("half_migrated")
    with django_db_blocker.unblock(), database.connected_to("half_migrated"):
        migrate(BEFORE)
        yield


def stored() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT args, url FROM tools_mcptool")
        return cursor.fetchone()


def test_secrets_that_stood_in_clear_are_encrypted(before: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tools_mcptool (name, slug, description, connection_type, command, args, env, url,"
            " headers, start_timeout_s, call_timeout_s, approval, is_enabled, replicas, generation, status,"
            " embedder, version, created_at, updated_at) VALUES ('old', 'old', '', 'stdio', 'npx', %s, '',"
            " %s, '', 30, 60, 'auto', true, 1, 1, 'stopped', '', 1, now(), now())",
            [json.dumps(["--token", "canary"]), "https://a.example/?key=canary"],
        )
    migrate(AFTER)
    assert "canary" not in str(stored())
    server = MCPTool.objects.only("args", "url").get()
    assert (server.args, server.url) == (["--token", "canary"], "https://a.example/?key=canary")
    migrate(BEFORE)
    assert stored() == ('["--token", "canary"]', "https://a.example/?key=canary")
