"""The worlds of clients are what their locks say, and name no place that they come from."""

import json
import re
from pathlib import Path

import pytest

from tests.clients.worlds import Node, Python
from tests.mcp_endpoint.conformance import Packages
from tests.mcp_endpoint.programs import Programs


@pytest.mark.parametrize("world", [Python, Programs])
def test_packages_for_python_come_by_hash_from_anywhere(world: type[Python]) -> None:
    lock = world.lock.read_text()
    assert "://" not in lock
    assert lock.count("--hash=sha256:") >= len(re.findall(r"^\S+==", lock, re.MULTILINE))
    asked = (world.folder / "requirements.in").read_text()
    assert {*re.findall(r"^[\w-]+", asked, re.MULTILINE)} <= {*re.findall(r"^([\w-]+)==", lock, re.MULTILINE)}


@pytest.mark.parametrize("world", [Node, Packages])
def test_packages_for_node_come_by_hash_from_anywhere(world: type[Node]) -> None:
    packages = json.loads(world.lock.read_text())["packages"]
    root, installed = packages.pop(""), packages.values()
    asked = json.loads((world.folder / "package.json").read_text())
    for kind in ("dependencies", "optionalDependencies"):
        assert root.get(kind) == asked.get(kind)
    assert not any("resolved" in package for package in installed)
    assert all(package["integrity"].startswith("sha512-") for package in installed)


def test_without_node_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Node.missing() == "There is no node and no npm on the PATH."
