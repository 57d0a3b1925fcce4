"""The commands as processes: what is written where, their status, and texts of all kinds on the way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection

from assistants import actions
from assistants.models import Assistant, Provider
from core.actor import Actor
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Write

BY = Actor.system("tests")
ROOT = Path(__file__).resolve().parents[3]


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    url = f"{base.rpartition('/')[0]}/{connection.settings_dict['NAME']}?{query}"
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **environment, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_a_trial_an_application_and_a_refusal(written: Write) -> None:
    path = str(written("version: 1\nproviders: [{name: House, default_model: m, api_key: '${HOUSE_KEY}'}]\n"))

    tried = manage("apply_config", path, "--dry-run", HOUSE_KEY="canary")
    assert (tried.returncode, tried.stdout, tried.stderr) == (0, "+ provider House\n", "")
    assert not Provider.objects.exists()

    applied = manage("apply_config", path, HOUSE_KEY="canary")
    assert (applied.returncode, applied.stdout) == (0, "+ provider House\n")
    assert Provider.objects.get().api_key == "canary"

    exported = manage("export_config")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert exported.stdout.startswith("version: 1\nproviders:\n- name: House\n")

    refused = manage("apply_config", str(written("version: 1\nprovider: []")))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "CommandError: provider: There is no such field. Did you mean providers?\n"


BOMB = "version: 1\na: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefg"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version: 1\nproviders: []\n" + b"# " + b"x" * 50 * 1024**2, "The file is over 4,194,304 bytes."),
        (bytes(range(256)) * 100, "The file is no text in UTF-8: line 2 is not."),
        (b"\0" * 1000, "Not valid YAML at line 1: control characters are not allowed."),
        (BOMB.encode(), "Not valid YAML at line 3, column 8: aliases (*name) are not read"),
        (b"version: 1\nx: &x [*x]\n", "Not valid YAML at line 2, column 8: aliases (*name) are not read"),
        (
            b"version: 1\nrules: [{name: a, then: deny, unknwn: 1}]",
            "rules[0].unknwn: There is no such field.",
        ),
    ],
    ids=["huge", "binary", "zeros", "bomb", "cycle", "unknown field"],
)
def test_a_file_that_is_none_ends_the_command_at_once(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    ended = manage("apply_config", str(path))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"CommandError: {said}")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_applications_at_once_the_second_one_finds_nothing_to_do(written: Write) -> None:
    names = ", ".join(f"{{name: House {number}, default_model: m}}" for number in range(200))
    path = str(written(f"version: 1\nproviders: [{names}]"))

    with ThreadPoolExecutor() as threads:
        both = [threads.submit(manage, "apply_config", path) for _ in range(2)]
    results = [each.result() for each in both]

    assert [(each.returncode, each.stderr) for each in results] == [(0, ""), (0, "")]
    assert sorted(len(each.stdout.splitlines()) for each in results) == [0, 200]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "One.\nTwo.\n", " spaces \n\n ", "tab\tand\r\nreturn\r", "next\x85line\u2028and\u2029", "😀 天气",
        "yes", "1", "- #: |", "${A} $${B}",
    ],
)  # fmt: skip
def test_texts_come_back_as_they_were(written: Write, text: str) -> None:
    actions.create(by=BY, name="Helper", system_prompt=text, parameters={"extra": {"stop": text}})
    path = written(scene.export())
    assert scene.apply(path, "--dry-run") == ([], "")

    Assistant.objects.all().delete()
    scene.apply(path)

    assistant = Assistant.objects.get()
    assert (assistant.system_prompt, assistant.parameters) == (text, {"extra": {"stop": text}})
