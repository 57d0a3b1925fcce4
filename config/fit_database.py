"""What the database must hold before a process of the product runs on it.

That is the extension, the tables of this version, and secrets that SECRET_ENCRYPTION_KEYS decrypts. A process
that ran without would answer requests with errors, or store secrets that nobody else can read.
"""

import logging
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

from core import database
from tools.secrets import encryption

log = logging.getLogger(__name__)

Session = psycopg.Connection[Any]
OLDEST_VECTOR = (0, 5)
_SHOWN = 3
_MOST_ROWS = 100
"""How many rows of a model are looked at, the newest, for one that can be decrypted."""


@dataclass(frozen=True, slots=True)
class Unfit:
    subject: str
    said: str
    remedy: str


def require_fit_database() -> None:
    """Exits with status 1 and the reasons. A database that does not answer yet is waited for, as ever."""
    try:
        refuse_unfit_database()
    except database.DATABASE_ERRORS as error:
        told = "The database does not answer (%s): whether it is fit for this version is not known."
        log.warning(told, type(error).__name__)


def refuse_unfit_database() -> None:
    """Exits with status 1 and the reasons. Raises psycopg.OperationalError where the database is away."""
    try:
        encryption.require_keys()
    except ImproperlyConfigured as error:
        sys.exit(f"MCP Connector cannot run: {error}")
    if reasons := [f"{found.subject}: {found.said} {found.remedy}" for found in unfit()]:
        sys.exit("MCP Connector does not run with this database.\n" + "\n".join(reasons))


def unfit() -> Iterator[Unfit]:
    """Yields what is wrong. Raises psycopg.OperationalError after seconds."""
    with database.session() as session:
        found = [each for each in (extension(session), tables(session)) if each]
        yield from found
        if not found and (wrong := secrets(session)):  # of tables that are not there nothing can be read
            yield wrong


def extension(session: Session) -> Unfit | None:
    """Says what is wrong with pgvector."""
    needed = ".".join(map(str, OLDEST_VECTOR))
    if installed := vector_version(session):
        if _numbers(installed) >= OLDEST_VECTOR:
            return None
        remedy = f"Install {needed} or later, then: ALTER EXTENSION vector UPDATE;"
        return Unfit("Extension", f"pgvector {installed} is too old.", remedy)
    available = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
    if session.execute(available).fetchone():
        return Unfit(
            "Extension",
            "pgvector is not enabled in this database.",
            "As a superuser: CREATE EXTENSION vector; or let `manage.py migrate` do it with such a user.",
        )
    return Unfit(
        "Extension", "pgvector is not installed.", "Install it for this PostgreSQL: pgvector's README."
    )


def vector_version(session: Session) -> str:
    """Returns the version of pgvector in this database; "" without."""
    row = session.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return row[0] if row else ""


def tables(session: Session) -> Unfit | None:
    """Says what of the tables this version cannot do without, or cannot fill."""
    known, applied = _known_migrations(), _applied_migrations(session)
    if missing := sorted(known - applied):
        return Unfit(
            "Migrations",
            f"not applied: {_listed(missing)}." if applied else "none is applied: the database is empty.",
            "manage.py migrate, with the code of this version.",
        )
    if (ahead := migrations_ahead(session)) and (wrong := _misfits(session)):
        return Unfit(
            "Migrations",
            f"a newer version ({ahead[-1]}) has made it one that this version cannot use: {_listed(wrong)}.",
            "Run the newer version, or restore a backup that this one made.",
        )
    return None


def migrations_ahead(session: Session) -> list[str]:
    """Returns the migrations that a newer version has applied. The version before it can run all the same."""
    known = _known_migrations()
    ours = {name.partition(".")[0] for name in known}
    return sorted(name for name in _applied_migrations(session) - known if name.partition(".")[0] in ours)


def secrets(session: Session) -> Unfit | None:
    """Says it if there are secrets, and no key decrypts any of the newest ones."""
    tokens = 0
    for token in () if settings.ALLOW_UNREADABLE_SECRETS else _tokens(session):
        if encryption.is_readable(token):
            return None
        tokens += 1
    if not tokens:
        return None
    return Unfit(
        "Secrets",
        "no key in SECRET_ENCRYPTION_KEYS decrypts what is stored: they are of another installation.",
        "Restore the keys that this one was made with. If they are lost, start with"
        " ALLOW_UNREADABLE_SECRETS=true and enter the secrets anew.",
    )


def _tokens(session: Session) -> Iterator[str]:
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} DESC LIMIT {}")
    for model in apps.get_models():
        meta, names = model._meta, encryption.encrypted_columns(model)
        if not names or meta.pk is None:
            continue
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        table, pk = sql.Identifier(meta.db_table), sql.Identifier(meta.pk.attname)
        for row in session.execute(query.format(columns, table, pk, _MOST_ROWS)):
            yield from filter(None, row)


def _known_migrations() -> set[str]:
    """Returns the names of this version's. Django would import all of them: each process would be larger."""
    return {
        f"{app.label}.{module.name}"
        for app in apps.get_app_configs()
        for module in pkgutil.iter_modules([str(Path(app.path, "migrations"))])
        if not module.ispkg and module.name[0] not in "_~"
    }


def _applied_migrations(session: Session) -> set[str]:
    row = session.execute("SELECT to_regclass('django_migrations')").fetchone()
    if row is None or row[0] is None:
        return set()
    return {f"{app}.{name}" for app, name in session.execute("SELECT app, name FROM django_migrations")}


def _misfits(session: Session) -> list[str]:
    """Returns columns that the database lacks, and those that it demands and this version does not fill."""
    expected = _expected_columns()
    columns = session.execute(
        "SELECT relname, attname, attnotnull AND NOT atthasdef AND attidentity = ''"
        " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relname = ANY(%s) AND pg_table_is_visible(pg_class.oid) AND attnum > 0 AND NOT attisdropped",
        [sorted({table for table, _ in expected})],
    ).fetchall()
    there = {(table, column) for table, column, _ in columns}
    lacking = [f"{table}.{column} is missing" for table, column in expected - there]
    demanded = [
        f"{table}.{column} has no default"
        for table, column, is_demanded in columns
        if is_demanded and (table, column) not in expected
    ]
    return sorted(lacking + demanded)


def _expected_columns() -> set[tuple[str, str]]:
    return {
        (model._meta.db_table, field.column or field.attname)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
    }


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
