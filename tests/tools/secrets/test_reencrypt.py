"""Rotation of the keys that secrets are encrypted with."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from assistants import actions as assistant_actions
from assistants.models import Provider
from core.actor import Actor
from tools import actions
from tools.models import MCPTool
from tools.secrets import encryption

BY = Actor.system("tests")
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
CANARY = "canary-5f1c"


@pytest.fixture
def keys(settings: Any) -> Iterator[Any]:
    def use(*listed: str) -> None:
        settings.SECRET_ENCRYPTION_KEYS = list(listed)
        encryption._fernet.cache_clear()

    yield use
    encryption._fernet.cache_clear()


@pytest.fixture
def stored(db: None, keys: Any) -> None:
    keys(OLD)
    actions.register(
        by=BY, name="A", connection_type="stdio", command="npx", args=["--token", CANARY], env={"K": CANARY}
    )
    assistant_actions.add_provider(by=BY, name="P", default_model="m", api_key=CANARY)


def tokens() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT args, env, url, headers FROM tools_mcptool")
        return [*cursor.fetchone(), *_provider_tokens(cursor)]


def _provider_tokens(cursor: Any) -> list[str]:
    cursor.execute("SELECT api_key FROM assistants_provider")
    return list(cursor.fetchone())


def test_every_secret_is_encrypted_with_the_first_key(stored: None, keys: Any) -> None:
    keys(NEW, OLD)
    before = MCPTool.objects.get()
    said = StringIO()
    call_command("reencrypt_secrets", stdout=said)
    assert "2 rows" in said.getvalue()
    for token in tokens():
        Fernet(NEW).decrypt(token)
    keys(NEW)
    server = MCPTool.objects.get()
    assert (server.args, server.env) == (["--token", CANARY], {"K": CANARY})
    assert Provider.objects.get().api_key == CANARY
    assert (server.version, server.updated_at) == (before.version, before.updated_at)


def test_without_the_old_key_nothing_changes_and_the_reason_is_reported(stored: None, keys: Any) -> None:
    before = tokens()
    keys(OTHER)
    with pytest.raises(CommandError, match="SECRET_ENCRYPTION_KEYS"):
        call_command("reencrypt_secrets")
    assert tokens() == before
    keys(OLD)
    assert MCPTool.objects.get().env == {"K": CANARY}


def test_no_token_holds_a_secret_in_clear(stored: None) -> None:
    assert not any(CANARY in token for token in tokens())
