import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connection

from tests import database

pytest_plugins = ["tests.llm", "tests.stack"]
MIGRATED = "migrated"
LOCAL = {None, "", "localhost", socket.gethostname()}
IP_ADDRESS = re.compile(r"[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.%\w]*")


@pytest.fixture(scope="session")
def migrated(django_db_blocker: Any) -> str:
    """The template of databases, where the migrations ran once. Nobody is connected to it."""
    database.create(MIGRATED)
    with django_db_blocker.unblock(), database.connected_to(MIGRATED):
        call_command("migrate", verbosity=0)
    return MIGRATED


@pytest.fixture(scope="session")
def django_db_modify_db_settings(migrated: str) -> None:
    connection.settings_dict["TEST"]["TEMPLATE"] = migrated


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with database.restored_after_tests(django_db_blocker):
        yield


@pytest.fixture(scope="session", autouse=True)
def no_name_server_is_asked() -> Iterator[None]:
    """No test is about the names of others, and each that nobody knows could take seconds to be told so."""
    really = socket.getaddrinfo

    def local(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in LOCAL or IP_ADDRESS.fullmatch(name):
            return really(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", local)
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_at_once() -> Iterator[None]:
    """Each test with somebody who logs in would compute for a quarter of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield
