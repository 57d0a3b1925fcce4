"""Connections outside the ORM, for what must wait on the database without a thread: the feed, the leases."""

from typing import Any

import psycopg
from django.db import connections

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 3


async def connect() -> psycopg.AsyncConnection[Any]:
    """An autocommit connection to Django's database.

    Raises psycopg.OperationalError after at most 3 s; a statement on it fails after 3 s as well.
    """
    return await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True)


def _parameters() -> dict[str, Any]:
    """Django's own settings at the time of the call: a test's database is another one."""
    database = connections["default"].settings_dict
    options = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    named = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    }
    return {
        **{name: value for name, value in named.items() if value},
        **options,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": CONNECT_TIMEOUT_S * 1000,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s",
    }
