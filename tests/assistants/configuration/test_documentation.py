"""The example of docs/gitops.md."""

import re
from pathlib import Path

import pytest

from assistants.models import Rule
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Write

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).parents[3] / "docs" / "gitops.md"


def test_the_example_can_be_applied_and_is_exported_as_the_same(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rule.objects.all().delete()
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    path = written(example)
    for name in ("MODEL_HOUSE_KEY", "TICKETS_TOKEN"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("PAGER_URL", "https://hooks.example.com/canary")

    lines, steps = scene.apply(path)

    assert {line[0] for line in lines} == {"+", "~"}
    assert {line.split(":")[0] for line in steps.splitlines()} == {"To do"}
    assert scene.apply(path, "--dry-run", "--prune") == ([], "")
    exported = scene.export()
    assert "canary" not in exported
    assert scene.apply(written(exported), "--dry-run", "--prune") == ([], "")
