"""What others' programs say of the files for containers. A lock of their own installs them."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.clients.worlds import Python

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


class Tools(Python):
    folder = Path(__file__).parent
    lock = folder / "requirements.lock"
    installed = ROOT / ".venv-deploy"
    program = str(installed / "bin" / "python")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tools() -> Tools:
    return Tools({})


def test_the_image_passes_hadolint(tools: Tools) -> None:
    tools.call(str(Tools.installed / "bin" / "hadolint"), str(ROOT / "Dockerfile"))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_as_kubernetes_has_it(tools: Tools, manifest: Path) -> None:
    if manifest.stem == "kustomization":  # read by kubectl, no object of the API
        pytest.skip("kustomize has no schema in Kubernetes")
    said = tools.call(str(Tools.installed / "bin" / "kubernetes-validate"), "--strict", str(manifest))
    assert "passed" in said


def test_podman_compose_reads_the_compose_file(tools: Tools, tmp_path: Path) -> None:
    """It only reads: of podman itself it asks the version, where there is none a script tells one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if shutil.which("podman") is None:
        podman = folder / "podman"
        podman.write_text("#!/bin/sh\necho podman version 4.3.1\n")
        podman.chmod(podman.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"]))
    reader = Tools({"PATH": path})
    said = reader.call(
        str(Tools.installed / "bin" / "podman-compose"), "-f", str(ROOT / "docker-compose.yml"), "config"
    )
    assert "/run/mcp-connector/SECRET_KEY" in said
