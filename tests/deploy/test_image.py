"""The image has what its database needs, and says nothing that only Docker understands."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKER_ONLY = {"SHELL", "HEALTHCHECK", "ONBUILD"}
"""Instructions that no OCI image can hold: podman and buildah leave them out with a warning."""


def test_its_programs_for_backups_are_those_of_the_database_beside_it() -> None:
    """A dump is refused by programs that are older than the database."""
    arguments = dict(
        line.removeprefix("ARG ").split("=", 1)
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("ARG ")
    )
    assert arguments["POSTGRES_IMAGE"] == services()["postgres"]["image"]


def test_it_is_the_same_image_from_podman() -> None:
    written = {line.split(" ")[0] for line in (ROOT / "Dockerfile").read_text().splitlines()}
    assert not written & DOCKER_ONLY


def test_a_health_check_asks_for_no_variable_of_one_engine() -> None:
    """Podman's has no HOSTNAME: a worker would never be healthy."""
    checks = [" ".join(service.get("healthcheck", {}).get("test", ())) for service in services().values()]
    assert any("inspect ping" in check for check in checks)
    assert not [check for check in checks if re.search(r"\$\$\{?[A-Z]", check)]


def test_the_database_is_healthy_only_where_others_reach_it() -> None:
    """While it is made, a server answers at the socket and nowhere else: migrations would start too early."""
    assert "--host" in services()["postgres"]["healthcheck"]["test"]


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found
