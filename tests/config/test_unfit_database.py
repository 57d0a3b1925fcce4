"""A database that is not this version's, keys of another installation: no process runs on them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from django.db import connection

from assistants.models import Provider
from config import fit_database
from config.runner.network import free_port
from tests.database import connected_to, create
from tests.stack import ROOT, readiness, wait_for
from tools.secrets import encryption

DATABASE = "unfit"
CELERY = ("-m", "celery", "-A", "config")
LAST = "(SELECT max(id) FROM django_migrations WHERE app = 'connector')"
AHEAD = "INSERT INTO django_migrations (app, name, applied) VALUES ('tools', '9999_later', now())"
STATES = {
    "behind": (
        f"DELETE FROM django_migrations WHERE id = {LAST}",
        "not applied: connector.",
    ),
    "empty": ("DROP TABLE django_migrations", "none is applied: the database is empty."),
    "ahead": (
        f"{AHEAD}; ALTER TABLE tools_mcptool DROP COLUMN description CASCADE",
        "a newer version (tools.9999_later) has made it one that this version cannot use:"
        " tools_mcptool.description is missing.",
    ),
    "ahead and demanding": (
        f"{AHEAD}; ALTER TABLE apikeys_apikey ADD COLUMN more integer NOT NULL",
        "apikeys_apikey.more has no default.",
    ),
    "no extension": ("DROP EXTENSION vector CASCADE", "pgvector is not enabled in this database."),
    "an old extension": (
        "UPDATE pg_extension SET extversion = '0.4.4' WHERE extname = 'vector'",
        "pgvector 0.4.4 is too old.",
    ),
}


@pytest.fixture
def database(migrated: str, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own, to which the ORM is connected."""
    create(DATABASE, template=migrated)
    with django_db_blocker.unblock(), connected_to(DATABASE):
        yield


def execute(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)


def url() -> str:
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{base.rpartition('/')[0]}/{DATABASE}?{query}"


def said() -> str:
    return "\n".join(f"{found.said} {found.remedy}" for found in fit_database.unfit())


@contextmanager
def keys(settings: Any, *given: str) -> Iterator[None]:
    before = settings.SECRET_ENCRYPTION_KEYS
    settings.SECRET_ENCRYPTION_KEYS = given
    encryption._fernet.cache_clear()
    yield
    settings.SECRET_ENCRYPTION_KEYS = before
    encryption._fernet.cache_clear()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a process of the product on the database until it ends."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,  # of a process that hangs: where other tests share the machine, a start takes long
    )


def processes() -> dict[str, tuple[str, ...]]:
    return {
        "web": ("-m", "config.web", "--port", str(free_port())),
        "several webs": ("-m", "config.web", "--port", str(free_port()), "--workers", "2"),
        "MCP worker": (*CELERY, "worker", "-P", "threads", "-Q", "mcp", "-n", "mcp@unfit"),
        "worker with beat": (
            *CELERY,
            "worker",
            "-P",
            "threads",
            "-Q",
            "default",
            "-B",
            "-n",
            "default@unfit",
        ),
        "beat": (*CELERY, "beat", "--pidfile", ""),
        "create_key": ("manage.py", "create_key", "somebody"),
        "export_config": ("manage.py", "export_config"),
        "demo": ("manage.py", "demo"),
    }


def assert_refused(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    output = ended.stdout + ended.stderr
    assert ended.returncode == 1, output
    # Beat's own logging has begun, and marks the line.
    assert "MCP Connector does not run with this database.\n" in ended.stderr, output
    assert all(word in output for word in words), output
    assert "Traceback" not in output
    assert len(ended.stderr.strip().splitlines()) <= 4, output


def test_what_the_migrations_made_is_fit(database: None) -> None:
    assert said() == ""


@pytest.mark.parametrize("state", STATES)
def test_what_is_wrong_is_said_with_what_to_do(database: None, state: str) -> None:
    statements, reason = STATES[state]
    execute(statements)
    assert reason in said()


def test_a_newer_database_that_this_version_can_use_is_fit(database: None) -> None:
    execute(f"{AHEAD}; ALTER TABLE tools_mcptool ADD COLUMN more integer, ADD COLUMN most integer DEFAULT 1")
    assert said() == ""


def test_keys_that_decrypt_nothing_are_of_another_installation(database: None, settings: Any) -> None:
    Provider.objects.create(name="One", default_model="m", api_key="a-secret")
    mine, other = settings.SECRET_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    with keys(settings, other):
        assert "no key in SECRET_ENCRYPTION_KEYS decrypts what is stored" in said()
        settings.ALLOW_UNREADABLE_SECRETS = True
        assert said() == ""
        settings.ALLOW_UNREADABLE_SECRETS = False
        Provider.objects.create(name="Two", default_model="m", api_key="entered anew")
        assert said() == ""
    with keys(settings, other, mine):
        assert said() == ""


@pytest.mark.parametrize("name", ["web", "MCP worker"])
def test_a_process_ends_with_the_reason(database: None, name: str) -> None:
    execute(STATES["behind"][0])
    assert_refused(run(*processes()[name]), STATES["behind"][1], "manage.py migrate")


def test_a_wrong_key_ends_a_process_before_it_has_stored_anything(database: None) -> None:
    Provider.objects.create(name="One", default_model="m", api_key="a-secret")
    before = Provider.objects.values_list().get()
    wrong = Fernet.generate_key().decode()
    assert_refused(run(*processes()["demo"], SECRET_ENCRYPTION_KEYS=wrong), "ALLOW_UNREADABLE_SECRETS=true")
    nonsense = run(*processes()["web"], SECRET_ENCRYPTION_KEYS="nonsense")
    assert (nonsense.returncode, nonsense.stdout) == (1, "")
    assert nonsense.stderr.startswith(
        "MCP Connector cannot run: SECRET_ENCRYPTION_KEYS must list Fernet keys"
    )
    assert Provider.objects.values_list().get() == before


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("state", [*STATES, "a wrong key"])
def test_no_process_runs_on_it(database: None, state: str) -> None:
    environment = {}
    if state in STATES:
        statements, reason = STATES[state]
        execute(statements)
    else:
        Provider.objects.create(name="One", default_model="m", api_key="a-secret")
        environment["SECRET_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
        reason = "no key in SECRET_ENCRYPTION_KEYS decrypts what is stored"
    for arguments in processes().values():
        assert_refused(run(*arguments, **environment), reason)


def test_a_process_waits_for_a_database_that_does_not_answer(tmp_path: Any) -> None:
    port, away = free_port(), f"postgresql://nobody:hidden@127.0.0.1:{free_port()}/none"
    with (tmp_path / "log").open("w") as log:
        web = subprocess.Popen(
            [sys.executable, "-m", "config.web", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": away},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(
            lambda: web.poll() is not None or "Uvicorn running on" in (tmp_path / "log").read_text(),
            within_s=30,
        )
        assert web.poll() is None, (tmp_path / "log").read_text()
        answer = httpx.get(f"http://127.0.0.1:{port}/ready")
        assert (answer.status_code, answer.json()["database"]) == (503, "down")
        assert readiness(f"http://127.0.0.1:{port}") == ""
    finally:
        web.terminate()
        web.wait(15)
    output = (tmp_path / "log").read_text()
    assert "whether it is fit for this version is not known" in output
    assert "hidden" not in output
