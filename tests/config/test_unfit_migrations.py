"""`manage.py migrate` where it cannot do what it should: one message, and nothing half done."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from config.runner.postgres import USER_FOR_ROOT
from tests.config.test_unfit_database import AHEAD, DATABASE, execute, run, url
from tests.database import connected_to, create
from tests.small_disk import filled, small_disk


@pytest.fixture
def empty(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    create(DATABASE, template="template0")
    with django_db_blocker.unblock(), connected_to(DATABASE):
        yield


@pytest.fixture
def migrated_database(migrated: str, django_db_blocker: Any) -> Iterator[None]:
    create(DATABASE, template=migrated)
    with django_db_blocker.unblock(), connected_to(DATABASE):
        yield


def applied(app: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations WHERE app = %s", [app])
        return int(cursor.fetchone()[0])


def migrate(*options: str, **environment: str) -> tuple[int, str]:
    """Returns the status and what is said on standard error."""
    ended = run("manage.py", "migrate", "--no-input", *options, **environment)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


def test_without_the_extension(empty: None) -> None:
    if connection.pg_version < 180_000:  # type: ignore[attr-defined]
        pytest.skip("Only PostgreSQL 18 can be told where no extension is.")
    execute(f"ALTER DATABASE {DATABASE} SET extension_control_path = '/nowhere'")
    status, said = migrate()
    assert (status, said) == (
        1, "CommandError: pgvector is not installed. Install it for this PostgreSQL: pgvector's README.\n"
    )  # fmt: skip
    assert applied("tools") == 0


def test_without_the_right_to_enable_the_extension(empty: None) -> None:
    execute(
        "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN PASSWORD 'plain';"
        "GRANT CREATE, USAGE ON SCHEMA public TO plain"
    )
    status, said = migrate(DATABASE_URL=url().replace("//postgres@", "//plain:plain@"))
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("CommandError: pgvector is not enabled in this database. As a superuser: CREATE")


def test_a_database_that_is_read_only(migrated_database: None) -> None:
    execute("DELETE FROM django_migrations WHERE app = 'axes'")
    execute(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = on")
    status, said = migrate()
    assert status == 1
    assert "CommandError: The database takes no writes, and nothing was changed" in said


def test_a_newer_database_is_left_as_it_is(migrated_database: None) -> None:
    execute(AHEAD)
    told = "The database is ahead of this code, and was left as it is: tools.9999_later.\n"
    assert migrate() == (0, told)
    assert migrate("--check") == (0, told)


def test_a_newer_database_that_this_version_cannot_use(migrated_database: None) -> None:
    execute(f"{AHEAD}; ALTER TABLE tools_mcptool DROP COLUMN description CASCADE")
    status, said = migrate()
    assert status == 1
    assert "tools_mcptool.description is missing. Run the newer version, or restore a backup" in said


def test_a_full_disk(empty: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The database's own: a tablespace on a small disk."""
    with small_disk(tmp_path_factory.getbasetemp().parent.parent / "small-disk", megabytes=24) as disk:
        place = disk / "tables"
        place.mkdir(mode=0o700)
        shutil.chown(place, USER_FOR_ROOT)  # only root can mount a disk
        try:
            execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            execute(f"ALTER DATABASE {DATABASE} SET default_tablespace = 'small'")
            with filled(disk):
                status, said = migrate()
            assert status == 1
            assert "A change was refused, and not made: " in said
            assert "No space left on device" in said
        finally:
            with connected_to("postgres"):
                execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
                execute("DROP TABLESPACE IF EXISTS small")
