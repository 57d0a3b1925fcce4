"""`manage.py doctor` finds what an installation misses, and says what to do."""

import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from redis import Redis

from assistants.models import Provider
from config import doctor, tasks
from config.doctor import machine, redis
from config.runner.network import free_port
from connector.models import Worker
from tests.database import connected_to, create
from tests.image_host import certificate, image_host
from tests.refusing_redis import REASONS, refusing
from tools.models import MCPTool
from tools.secrets import encryption

ROOT = Path(__file__).resolve().parent.parent.parent


def findings(subject: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.subject == subject]


def one(subject: str, state: str) -> doctor.Finding:
    (found,) = [finding for finding in findings(subject) if finding.state == state]
    assert state == "ok" or found.remedy
    return found


@pytest.fixture
def installation(transactional_db: None) -> None:
    Worker.objects.create(name="w", node="mcp@here", host_id="h", socket="s", seen_at=timezone.now())
    tasks.note_beat()


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as an operator would, in a process of its own."""
    return subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_has_nothing_to_say_about_a_whole_installation(installation: None) -> None:
    said = StringIO()
    call_command("doctor", stdout=said)
    assert "FAILED" not in said.getvalue()
    assert "mcp@here" in said.getvalue()


def test_workers_and_beat_that_are_missing_are_named(transactional_db: None) -> None:
    with Redis.from_url(settings.REDIS_URL) as client:
        client.delete("mcp-connector:beat")
    assert "no MCP server runs" in one("MCP workers", "failed").said
    assert "none has since Redis was started" in one("Beat and worker", "failed").said
    with pytest.raises(CommandError, match=r"2 of \d+ checks failed"):
        call_command("doctor", stdout=StringIO())


def test_an_old_note_of_beat_is_a_failure(installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + 100
    monkeypatch.setattr("config.doctor.processes.time.time", lambda: later)
    assert "ran 100 s ago" in one("Beat and worker", "failed").said


def test_the_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://nobody:hidden-password@127.0.0.1:{free_port()}/none"
    ended = run(DATABASE_URL=url)
    assert ended.returncode == 1
    assert "FAILED   Database: " in ended.stdout
    assert "Connection refused" in ended.stdout
    assert "DATABASE_URL" in ended.stdout
    assert "hidden-password" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_database_that_is_behind_and_one_that_is_ahead(installation: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tools', '9999_later', now())"
        )
        assert "tools.9999_later" in one("Migrations", "warning").said
        cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
        cursor.execute(
            "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations"
            " WHERE app = 'connector') RETURNING app, name, applied"
        )
        row = cursor.fetchone()
        try:
            assert row[1] in one("Migrations", "failed").said
        finally:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)


def test_a_database_without_the_extension(transactional_db: None) -> None:
    create("doctor", template="template0")
    with connected_to("doctor"):
        assert "not enabled" in one("Extension", "failed").said


def test_a_database_that_is_read_only(installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            assert "read" in one("Database", "failed").said
        finally:
            cursor.execute("SET default_transaction_read_only = off")


def test_redis_that_does_not_answer(installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", f"redis://:hidden@127.0.0.1:{free_port()}/0")
    found = one("Redis", "failed")
    assert "hidden" not in found.said + found.remedy


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tests' Redis, whose configuration is as before afterwards."""
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("why", "remedy"),
    [("full", "maxmemory"), ("read-only", "name the primary"), ("failing snapshots", "Its log says why")],
)
def test_redis_that_takes_no_writes(why: str, remedy: str) -> None:
    with refusing(why):
        (found,) = [each for each in redis.check() if each.state == "failed"]
    assert found.said == f"it takes no writes: {REASONS[why]}."
    assert remedy in found.remedy


def test_redis_that_would_drop_keys(own_redis: Redis) -> None:
    own_redis.config_set("maxmemory", 1024**3)
    own_redis.config_set("maxmemory-policy", "allkeys-lru")
    assert any("allkeys-lru" in each.said for each in redis.check() if each.state == "warning")


def test_a_row_that_no_key_decrypts(installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider.objects.create(name="P", default_model="m", api_key="a-secret")
    encryption._fernet.cache_clear()
    monkeypatch.setattr(settings, "SECRET_ENCRYPTION_KEYS", [Fernet.generate_key().decode()])
    try:
        found = one("Secrets", "failed")
        assert f"provider {provider.pk}" in found.said
        assert "a-secret" not in found.said
        assert "decrypted" in one("Provider P", "failed").said
    finally:
        encryption._fernet.cache_clear()


def test_a_clock_that_jumped(installation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timezone.timedelta(hours=1)
    monkeypatch.setattr("config.doctor.machine.timezone.now", lambda: later)
    assert "NTP" in one("Clock", "failed").remedy


@pytest.mark.parametrize(
    ("free", "state"), [(1024, "failed"), (512 * 1024**2, "warning"), (2 * 1024**3, "ok")]
)
def test_a_disk_that_is_full_or_will_be(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    assert {finding.state for finding in machine.check()} == {state}


def test_a_provider_that_cannot_be_reached(installation: None) -> None:
    Provider.objects.create(
        name="Away", default_model="m", api_key="sk-hidden", base_url=f"http://127.0.0.1:{free_port()}/v1"
    )
    found = one("Provider Away", "failed")
    assert "cannot be reached: 127.0.0.1:" in found.said
    assert "ALLOWED_PRIVATE_HOSTS" in found.said


def test_why_a_provider_cannot_be_reached_is_said_for_people(
    installation: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"127.0.0.1:{free_port()}"
    with image_host(certificate(tmp_path)) as foreign:
        monkeypatch.setattr(settings, "ALLOWED_PRIVATE_HOSTS", [closed, foreign.partition("//")[2]])
        for name, url in (("Closed", f"http://{closed}/v1"), ("Foreign", f"{foreign}/v1")):
            Provider.objects.create(name=name, default_model="m", api_key="a-secret", base_url=url)
        assert one("Provider Closed", "failed").said == "it cannot be reached: Connection refused."
        found = one("Provider Foreign", "failed")
    assert found.said == "it cannot be reached: its certificate is not trusted."
    assert "authority" in found.remedy


def test_a_server_that_does_not_run(installation: None) -> None:
    error = {"message": "It ended.", "remedy": "Read its log."}
    MCPTool.objects.create(name="Files", slug="files", connection_type="stdio", command="x", error=error)
    found = one("Server Files", "warning")
    assert (found.said, found.remedy) == ("It ended.", "Read its log.")
    call_command("doctor", stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("doctor", strict=True, stdout=StringIO())


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SECRET_KEY", "secret", "can be guessed"),
        ("SECRET_KEY", "a" * 60, "can be guessed"),
        ("ALLOWED_HOSTS", "example.org,*", "ALLOWED_HOSTS=*"),
    ],
)
@pytest.mark.parametrize(
    "process",
    [
        "config.web",
        "celery -A config worker -Q default",
        "celery -A config beat --schedule {schedule}",
    ],
)
def test_no_process_starts_with_unsafe_settings(
    setting: str, value: str, said: str, process: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *process.format(schedule=tmp_path / "schedule").split()],
        cwd=ROOT,
        env=os.environ | {setting: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert run(**{setting: value}).stdout.count(said) == 1


def test_djangos_own_check_for_deployments_is_content() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=os.environ | {"SECURE_COOKIES": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
