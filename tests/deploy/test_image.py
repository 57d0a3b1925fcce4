"""The image has what its database needs."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


def test_its_programs_for_backups_are_those_of_the_database_beside_it() -> None:
    """A dump is refused by programs that are older than the database."""
    arguments = dict(
        line.removeprefix("ARG ").split("=", 1)
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("ARG ")
    )
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert arguments["POSTGRES_IMAGE"] == services["postgres"]["image"]
