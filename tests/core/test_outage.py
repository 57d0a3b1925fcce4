"""The ORM after an outage of the database: it is back as soon as the database is."""

import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import django.db
import pytest
from django.db import connection, connections

from config.runner.postgres import SOCKET
from core.database import in_thread
from tests.chaos.proxy import Proxy
from tests.database import reconnect

AWAY_S = 17.0
"""The pool's own attempts would be 1, 2, 4, 8 and then 16 s apart: the next is far away."""
BACK_WITHIN_S = 8.0

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    options = connections["default"].settings_dict["OPTIONS"]
    host = unquote(options.get("host", ""))
    if not host.startswith("/"):
        pytest.skip("The database is not the embedded one.")
    proxy = Proxy("database", f"{host}/{SOCKET}")
    proxy.start()
    options |= {"host": "127.0.0.1", "port": str(proxy.port)}
    reconnect()
    yield proxy
    options["host"] = host
    del options["port"]
    reconnect()
    proxy.close()


@in_thread
def answered() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


async def test_it_does_not_wait_longer_and_longer(proxy: Proxy) -> None:
    target = proxy._target
    assert await answered()
    proxy.switch(None)
    began = time.monotonic()
    while time.monotonic() - began < AWAY_S:
        with pytest.raises(django.db.OperationalError):
            await answered()
    proxy.switch(target)
    back, is_back = time.monotonic(), False
    while not is_back and time.monotonic() - back < BACK_WITHIN_S:
        with suppress(django.db.OperationalError):
            is_back = await answered()
    assert is_back
