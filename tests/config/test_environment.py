"""Settings that are wrong are refused by their name, in one line, and without their value."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.util.re import parse_env_headers

from config import queues
from config.environment import Environment
from config.log_settings import logging_at

DATABASE = "postgresql://user:hush@host/database"


@pytest.fixture(name="given")
def _given(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    monkeypatch.setenv("A_SETTING", request.param)
    return str(request.param)


def test_a_file_of_settings_is_read_as_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_ENVIRONMENT", "wins")
    monkeypatch.delenv("OF_A_FILE", raising=False)
    monkeypatch.delenv("QUOTED", raising=False)
    text = "# OF_A_FILE = no\n\n  \n  # x\nOF_A_FILE=a # b\nexport QUOTED='c d'\nOF_THE_ENVIRONMENT=loses\n"
    (tmp_path / ".env").write_text(text, "utf-8-sig")
    Environment().read_file(tmp_path / ".env")
    Environment().read_file(tmp_path / "none")
    found = [os.environ.pop(name) for name in ("OF_A_FILE", "QUOTED")]
    assert [*found, os.environ["OF_THE_ENVIRONMENT"]] == ["a # b", "c d", "wins"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A=b\nTOKEN = hush\n", "line 2: Write NAME=value in one line"),
        (b"KEY=a\nhush", "line 2: Write NAME=value"),
        (b"\xffhush", " cannot be read: it is no text in UTF-8."),
    ],
)
def test_a_file_of_settings_that_cannot_be_meant_is_refused_without_what_is_in_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as refused:
        Environment().read_file(tmp_path / ".env")
    assert said in str(refused.value)
    assert "hush" not in str(refused.value) + "".join(capfd.readouterr())


@pytest.mark.parametrize("given", ["many", "-1", "0", "101", "2.5", "9" * 5000], indirect=True)
def test_what_is_no_whole_number_in_the_range_is_refused(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must be a whole number from 1 to 100.$"):
        Environment().whole("A_SETTING", default=20, least=1, most=100)


@pytest.mark.parametrize("given", ["30s", "nan", "inf", "-1", "1e400", "1,5"], indirect=True)
def test_what_is_no_number_in_the_range_is_refused(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must be a number from 0 to 2147483647.$"):
        Environment().number("A_SETTING", default=20)


@pytest.mark.parametrize(
    ("given", "number"), [("1e3", 1000.0), (" 0.5 ", 0.5), ("7", 7.0)], indirect=["given"]
)
def test_a_number_is_what_it_looks_like(given: str, number: float) -> None:
    assert Environment().number("A_SETTING", default=20) == number


@pytest.mark.parametrize(
    ("given", "flag"), [("True", True), ("on", True), ("1", True), ("no", False), ("0", False)],
    indirect=["given"],
)  # fmt: skip
def test_a_flag_is_what_it_looks_like(given: str, flag: bool) -> None:
    assert Environment().flag("A_SETTING", default=not flag) is flag


@pytest.mark.parametrize("given", ["ture", "enabled", "2"], indirect=True)
def test_a_mistyped_flag_is_not_taken_for_false(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must be true or false.$"):
        Environment().flag("A_SETTING", default=True)


@pytest.mark.parametrize("given", ["uvx, npx ,,node"], indirect=True)
def test_spaces_in_a_list_are_no_part_of_it(given: str) -> None:
    assert Environment().listed("A_SETTING") == ["uvx", "npx", "node"]


@pytest.mark.parametrize("given", ["$ecret-token"], indirect=True)
def test_a_secret_that_begins_like_a_reference_is_kept(given: str) -> None:
    assert Environment().str("A_SETTING", default="") == given


@pytest.mark.parametrize(
    "given",
    ["hush", "mysql://user:hush@host/database", "postgresql://user:hu/sh@host:port/database"],
    indirect=True,
)  # fmt: skip
def test_what_is_no_address_of_a_database_is_not_repeated(
    given: str, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must have the form postgresql://") as refused:
        Environment().database("A_SETTING")
    assert "hush" not in str(refused.value)
    assert not recwarn.list


@pytest.mark.parametrize("url", ["", "hush", "http://:hush@host:6379/0", "redis://:hush@host:port/0"])
def test_what_is_no_address_of_a_redis_is_not_repeated(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_URL: an address of Redis") as refused:
        queues.celery(url)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        "hush", "a=1, x-api-key hush", "a=b;c=hush", 'a="hush"', "a b=hush", "=hush", "a=hush\u00e9",
        "a=hush\tb", "a=hush%0Ab", "a=hush%C3%A9",
    ],
    indirect=True,
)  # fmt: skip
def test_what_are_no_headers_is_not_repeated(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must have the form name=value") as refused:
        Environment().headers("A_SETTING")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["", "api-key=abc", " a=b , c = d,", "Authorization=Bearer T", "a=b%20c%2Cd==", "a="],
    indirect=True,
)
def test_headers_are_those_that_opentelemetry_reads(given: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = Environment().headers("A_SETTING")
    found = parse_env_headers(headers, liberal=True)
    assert len(found) == len([each for each in given.split(",") if each.strip()])
    assert not caplog.records


def test_an_unknown_level_of_logging_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^LOG_LEVEL must be"):
        logging_at("LOUD")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"WEB_DRAIN_S": "-1"}, "WEB_DRAIN_S must be a number from 0 to 2147483647."),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
         "OTEL_EXPORTER_OTLP_ENDPOINT must be an address that begins with http:// or https://."),
        *(
            ({name: "Authorization=Bearer T, x-api-key hush"},
             f"{name} must have the form name=value,name=value, in ASCII. What is special in a value is"
             " written so: %2C for a comma.")
            for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
        ),
        ({"CONNECTOR_HOST_BIND": "8100"},
         "CONNECTOR_HOST_BIND must be an address and a port, such as 10.0.0.5:8100."),
        ({"SUPERVISOR_LEASE_S": "6"}, "SUPERVISOR_LEASE_S must be twice SUPERVISOR_HEARTBEAT_S at least."),
        ({"ALLOWED_HOSTS": "http://a"},
         "ALLOWED_HOSTS must list names of hosts, as example.org or .example.org, separated by commas."),
        ({"CSRF_TRUSTED_ORIGINS": "example.org"},
         "CSRF_TRUSTED_ORIGINS must list origins, as https://example.org or https://*.example.org,"
         " separated by commas."),
        ({"CORS_ORIGINS": "*"},
         "CORS_ORIGINS must list origins, as https://example.org or http://localhost:3000, separated by"
         " commas."),
        ({"MCP_AUTHORIZATION_SERVERS": "foo"},
         "MCP_AUTHORIZATION_SERVERS must list addresses that begin with http:// or https://."),
        ({"METRICS_TOKEN": "é"},
         "METRICS_TOKEN must have letters, digits and signs of ASCII alone, no spaces."),
        ({"OPENAI_API_KEY": "ключ"}, "OPENAI_API_KEY must have letters, digits and signs of ASCII alone."),
        ({"MCP_PASS_ENVIRONMENT": "A B"},
         "MCP_PASS_ENVIRONMENT must list names of variables, as HTTPS_PROXY, separated by commas."),
        ({"ALLOWED_PRIVATE_HOSTS": "localhost"},
         "ALLOWED_PRIVATE_HOSTS must list host:port, separated by commas: localhost:8080,[::1]:8080."),
        ({"IMAGE_PRIVATE_HOSTS": "http://a:80"},
         "IMAGE_PRIVATE_HOSTS must list host:port, separated by commas: localhost:8080,[::1]:8080."),
        ({"MCP_ALLOWED_COMMANDS": "uvx npx"},
         "MCP_ALLOWED_COMMANDS must list commands, as uvx, or their paths, separated by commas."),
    ],
)  # fmt: skip
def test_no_command_runs_with_a_wrong_setting(settings: dict[str, str], said: str) -> None:
    environment = {
        "PATH": os.environ["PATH"], "SECRET_KEY": "k" * 9, "SECRET_ENCRYPTION_KEYS": "e",
        "DATABASE_URL": DATABASE, "REDIS_URL": "redis://host", **settings,
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor"], capture_output=True, text=True, check=False, env=environment
    )
    assert (ended.returncode, ended.stderr) == (1, f"MCP Connector cannot run: {said}\n")
