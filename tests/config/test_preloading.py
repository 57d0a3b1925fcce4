"""What the runner does for its forks, before there are any: what it leaves out, and what it gives back."""

import subprocess
import sys

import pytest

from config.runner import code_pages
from tests.connector.processes import ROOT, environment

LEFT_OUT = (
    *("greenlet", "jwt", "sqlite3", "sqlparse", "watchfiles", "boto3", "pygments", "requests"),
    *("mcp.server", "opentelemetry.sdk.metrics", "strands.bidi", "rest_framework.test"),
)
MAPPED = b"""\
7f00-7f01 r-xp 00000000 08:01 11  /srv/jos\xe9/code.so
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
7f01-7f02 r--p 00001000 08:01 11  /srv/jos\xe9/code.so
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me ac
7f02-7f03 r--p 00002000 08:01 11  /srv/jos\xe9/code.so
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd mr mw me ac
7f03-7f04 rw-p 00003000 08:01 11  /srv/jos\xe9/code.so
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac
7f04-7f05 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7f05-7f06 r--p 00000000 08:01 12  /usr/lib/data.so
Pss_Dirty:             0 kB
Anonymous:             0 kB
KSM:                   0 kB
Swap:                  0 kB
"""
LOAD = """
import sys
import django
from config.environment import load_settings
from config.runner import code_pages
from config.runner.preloading import loading, preload
load_settings()
with loading():
    django.setup()
    preload()
"""
WHAT_WAS_LEFT_OUT_WORKS = """
from django.db.backends.base import operations
from mcp.client.auth.extensions import client_credentials
assert client_credentials.jwt.encode({"iss": "us"}, "x" * 32, algorithm="HS256").count(".") == 2
assert operations.sqlparse.split("SELECT 1; SELECT 2") == ["SELECT 1;", "SELECT 2"]
import mcp.server, opentelemetry.sdk.metrics, sqlite3, strands.bidi, watchfiles
from mcp.client.client import Client
assert issubclass(mcp.server.Server, object) and not issubclass(Client, Exception)
"""
FILES_ARE_GIVEN_BACK = """
import hashlib, json
from pathlib import Path
def mapped():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssFile:"))
assert mapped() < 20_000, mapped()
from cryptography.fernet import Fernet
key = Fernet(Fernet.generate_key())
assert key.decrypt(key.encrypt(b"whole")) == b"whole"
before = mapped()
code_pages.let_go()
assert mapped() < before
assert json.loads(json.dumps({"a": [1.5]})) == {"a": [1.5]}
assert len(hashlib.sha256(b"").digest()) == 32
"""


def output(script: str) -> str:
    command = [sys.executable, "-c", LOAD + script]
    ended = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_what_nobody_needs_is_not_loaded(db: None) -> None:
    loaded = output('print(*sys.modules, sep="\\n")').splitlines()
    assert "config.application" in loaded
    assert [name for name in LEFT_OUT if name in loaded] == []


def test_it_is_there_when_somebody_needs_it(db: None) -> None:
    output(WHAT_WAS_LEFT_OUT_WORKS)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_what_was_mapped_of_files_is_given_back_and_comes_again(db: None) -> None:
    output(FILES_ARE_GIVEN_BACK)


def test_what_no_file_has_is_kept_wherever_it_is() -> None:
    assert list(code_pages.of_files(MAPPED)) == [(0x7F00, 0x7F01), (0x7F05, 0x7F06)]
