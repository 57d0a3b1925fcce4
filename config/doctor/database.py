"""PostgreSQL: whether it answers and can be written, its version, the extension, the migrations."""

from collections.abc import Iterator

import psycopg
from django.db import Error, connection

from config import fit_database
from config.command_line import reason
from config.doctor.finding import Finding, failed, ok, warning
from config.fit_database import Session
from core import database

OLDEST = 14
"""The oldest PostgreSQL that Django 5.2 supports."""


def check() -> Iterator[Finding]:
    try:
        yield from _check()
    except (Error, psycopg.Error) as error:
        yield failed(
            "Database",
            reason(error).partition("\n")[0],
            "Check DATABASE_URL, and whether PostgreSQL runs there and lets this user in.",
        )


def _check() -> Iterator[Finding]:
    version = int(_one("SHOW server_version_num")) // 10_000
    if version < OLDEST:
        yield failed("Database", f"PostgreSQL {version} is too old.", f"Upgrade it to {OLDEST} or later.")
        return
    yield ok("Database", f"PostgreSQL {version} answers")
    yield _writable()
    with database.session() as session:
        yield _extension(session)
        yield _migrations(session)


def _writable() -> Finding:
    if _one("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"):
        return failed(
            "Database",
            "it can be read alone: it is a standby, or its administrator has made it read-only.",
            "Have DATABASE_URL name the primary: with several hosts, target_session_attrs=read-write does.",
        )
    return ok("Database", "it can be written")


def _extension(session: Session) -> Finding:
    if unfit := fit_database.extension(session):
        return failed(unfit.subject, unfit.said, unfit.remedy)
    return ok("Extension", f"pgvector {fit_database.vector_version(session)}")


def _migrations(session: Session) -> Finding:
    if unfit := fit_database.tables(session):
        return failed(unfit.subject, unfit.said, unfit.remedy)
    if ahead := fit_database.migrations_ahead(session):
        return warning(
            "Migrations",
            f"the database is ahead of this code: {', '.join(ahead)}.",
            "Finish the upgrade: this process is of the version before. To go back restore a backup.",
        )
    return ok("Migrations", "all are applied")


def _one(query: str) -> str:
    """Returns the only value of a query; "" where it has no row."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return row[0] if row else ""
