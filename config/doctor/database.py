"""PostgreSQL: whether it answers and can be written, its version, the extension, the migrations."""

from collections.abc import Iterator

from django.db import Error, connection
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.db.migrations.executor import MigrationExecutor

from config.doctor.finding import Finding, failed, first_line, ok, warning

OLDEST = 14
"""The oldest PostgreSQL that Django 5.2 supports."""
OLDEST_VECTOR = (0, 5)


def check() -> Iterator[Finding]:
    try:
        yield from _check()
    except (Error, MigrationSchemaMissing) as error:
        yield failed(
            "Database",
            first_line(error),
            "Check DATABASE_URL, and whether PostgreSQL runs there and lets this user in.",
        )


def _check() -> Iterator[Finding]:
    version = int(_one("SHOW server_version_num")) // 10_000
    if version < OLDEST:
        yield failed("Database", f"PostgreSQL {version} is too old.", f"Upgrade it to {OLDEST} or later.")
        return
    yield ok("Database", f"PostgreSQL {version} answers")
    yield _writable()
    yield _extension()
    yield _migrations()


def _writable() -> Finding:
    if _one("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"):
        return failed(
            "Database",
            "it can be read alone: it is a standby, or its administrator has made it read-only.",
            "Have DATABASE_URL name the primary: with several hosts, target_session_attrs=read-write does.",
        )
    return ok("Database", "it can be written")


def _extension() -> Finding:
    installed = _one("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    available = _one("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
    if installed and _version(installed) >= OLDEST_VECTOR:
        return ok("Extension", f"pgvector {installed}")
    if installed:
        remedy = f"Install {'.'.join(map(str, OLDEST_VECTOR))} or later, then: ALTER EXTENSION vector UPDATE;"
        return failed("Extension", f"pgvector {installed} is too old.", remedy)
    if available:
        return failed(
            "Extension",
            "pgvector is not enabled in this database.",
            "As a superuser: CREATE EXTENSION vector; or let `manage.py migrate` do it with such a user.",
        )
    return failed(
        "Extension", "pgvector is not installed.", "Install it for this PostgreSQL: pgvector's README."
    )


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    loader = executor.loader
    missing = [migration for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    unknown = [name for name in loader.applied_migrations if name not in loader.disk_migrations]
    ours = {app for app, _ in loader.disk_migrations}
    if missing:
        return failed(
            "Migrations",
            f"{len(missing)} are not applied, the first is {missing[0]}.",
            "manage.py migrate, with the code of this version.",
        )
    if ahead := sorted(f"{app}.{name}" for app, name in unknown if app in ours):
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


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
