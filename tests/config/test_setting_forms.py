"""What each reader of settings takes and refuses, and what an empty value means to it: nothing was set."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import CAN_BE_EMPTY, Environment
from config.runner import up
from tests.architecture.test_settings import in_settings

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED = {
    "SECRET_KEY": "k" * 9, "SECRET_ENCRYPTION_KEYS": "e", "REDIS_URL": "redis://host",
    "DATABASE_URL": "postgresql://user:hush@host/database",
}  # fmt: skip
LOADED = """
import json
from datetime import timedelta
from pathlib import Path
from config.environment import load_settings
load_settings()
from config import settings
plain = (str, int, float, list, Path, timedelta)
found = {name: value for name, value in vars(settings).items() if name.isupper() and isinstance(value, plain)}
print(json.dumps({name: repr(value) for name, value in found.items()} | {"LOGGING": repr(settings.LOGGING)}))
"""
Reader = Callable[[Environment], Any]
READERS: list[tuple[Reader, Any]] = [
    (lambda env: env.whole("A_SETTING", default=20, least=1), 20),
    (lambda env: env.number("A_SETTING", default=0.5), 0.5),
    (lambda env: env.flag("A_SETTING", default=True), True),
    (lambda env: env.flag("A_SETTING", default=False), False),
    (lambda env: env.str("A_SETTING", default="closed"), "closed"),
    (lambda env: env.listed("A_SETTING", default=["a"]), ["a"]),
    (lambda env: env.hosts("A_SETTING", default=["localhost"]), ["localhost"]),
    (lambda env: env.origins_of_console("A_SETTING"), []),
    (lambda env: env.origins_of_pages("A_SETTING", default=["http://a"]), ["http://a"]),
    (lambda env: env.variables("A_SETTING"), []),
    (lambda env: env.commands("A_SETTING", default=["uvx"]), ["uvx"]),
    (lambda env: env.web_address("A_SETTING", default="https://a/v1"), "https://a/v1"),
    (lambda env: env.web_addresses("A_SETTING"), []),
    (lambda env: env.token("A_SETTING"), ""),
    (lambda env: env.api_key("A_SETTING"), ""),
    (lambda env: env.bind("A_SETTING", example="10.0.0.5:1"), ""),
    (lambda env: env.database("A_SETTING", default="postgresql://u@h/d")["NAME"], "d"),
]
FORMS: list[tuple[Reader, list[str], list[str]]] = [
    (
        lambda env: env.hosts("A_SETTING", default=[]),
        ["localhost,127.0.0.1,[::1]", ".example.com", "*", "a_b", "10-0-0-5.example.ORG"],
        ["http://a", "a b", "a:8000", "a/b", "[::1]:80", "::1", "*.example.com", "bücher.example", "a."],
    ),
    (
        lambda env: env.origins_of_console("A_SETTING"),
        ["https://example.org", "http://localhost:8000", "https://*.example.com", "https://[::1]:8443"],
        ["example.org", "*", "https://", "https://a/", "https://a b", "https://u@a", "ftp://a"],
    ),
    (
        lambda env: env.origins_of_pages("A_SETTING", default=[]),
        ["http://localhost:3000,https://a.b", "chrome-extension://abc", "null", "file://"],
        ["*", "localhost:3000", "https://a/", "https://*.example.com", "https://a?b"],
    ),
    (
        lambda env: env.web_addresses("A_SETTING"),
        ["https://login.example.org/realms/a", "http://localhost:9, https://a"],
        ["foo", "https://", "https://a b", "https://a:port", "ftp://a", "https://a,foo", "https://[::1"],
    ),
    (
        lambda env: env.web_address("A_SETTING", default=""),
        ["https://a.example/v1", "http://[::1]:11434/v1", "http://user:p@a"],
        ["a.example", "https://", "https:// a", "http://a:port", "http://a:99999"],
    ),
    (lambda env: env.variables("A_SETTING"), ["SSL_CERT_FILE, npm_config_registry"], ["A B", "A=B"]),
    (
        lambda env: env.commands("A_SETTING", default=[]),
        ["uvx,npx", "/opt/my tools/run,./serve"],
        ["uvx npx", "uvx, npx -y"],
    ),
    (lambda env: env.token("A_SETTING"), ["aZ09-._~+/=", " padded "], ["é", "a b", "a\tb"]),
    (lambda env: env.api_key("A_SETTING"), ["sk-1", "not needed"], ["é", "a\nb"]),
    (
        lambda env: env.bind("A_SETTING", example="10.0.0.5:1"),
        ["0.0.0.0:9100", "[::]:9100", "worker:8100"],
        ["9100", "http://a:1", "a b:1", "a:99999"],
    ),
]


@pytest.mark.parametrize(("read", "default"), READERS)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_as_if_nothing_was_set(
    read: Reader, default: Any, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_SETTING", raising=False)
    assert read(Environment()) == default
    monkeypatch.setenv("A_SETTING", value)
    assert read(Environment()) == default


@pytest.mark.parametrize(("read", "taken", "refused"), FORMS)
def test_what_can_be_meant_is_taken_and_all_else_refused_by_name(
    read: Reader, taken: list[str], refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in taken:
        monkeypatch.setenv("A_SETTING", value)
        assert read(Environment())
    for value in refused:
        monkeypatch.setenv("A_SETTING", value)
        with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING must [^\n]*$") as error:
            read(Environment())
        assert f" {value} " not in f"{error.value} ", value


@pytest.mark.parametrize("name", sorted(CAN_BE_EMPTY))
def test_a_list_of_nothing_can_be_meant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert Environment().listed(name, default=["a"]) == []


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_needed_is_missing_where_it_is_empty(name: str, tmp_path: Path) -> None:
    ended = loaded({**NEEDED, name: "", "DATA_DIR": str(tmp_path)})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"MCP Connector cannot run: Set the {name} environment variable.\n")


def test_no_setting_of_the_product_takes_an_empty_value_for_another_one() -> None:
    names = in_settings() - NEEDED.keys() - CAN_BE_EMPTY
    without = json.loads(loaded(NEEDED).stdout)
    emptied = json.loads(loaded({**dict.fromkeys(names, ""), **NEEDED}).stdout)
    assert len(without) > 100
    assert emptied == without


def loaded(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PATH": os.environ["PATH"], **settings},
    )  # fmt: skip


def test_what_make_up_has_generated_stands_in_for_an_empty_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runtime.env").write_text("A_SETTING=generated\nB_SETTING=generated\n")
    monkeypatch.setenv("A_SETTING", "")
    monkeypatch.setenv("B_SETTING", "given")
    Environment().complete(tmp_path / "runtime.env")
    assert (os.environ["A_SETTING"], os.environ["B_SETTING"]) == ("generated", "given")
    Environment().complete(tmp_path / "none")


def test_an_empty_drain_is_that_of_make_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"WEB_DRAIN_S": "", "SUPERVISOR_DRAIN_S": "8"})
    up.prepare_environment(tmp_path, {})
    assert (os.environ["WEB_DRAIN_S"], os.environ["SUPERVISOR_DRAIN_S"]) == ("3", "8")


def test_help_needs_no_setting_and_takes_an_empty_one() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "help"], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PATH": os.environ["PATH"], **dict.fromkeys(NEEDED, "")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
