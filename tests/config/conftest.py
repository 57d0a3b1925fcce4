"""Installations for the tests of `manage.py up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.installation import Installation, Start


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts installations, and ends them after the tests of this module."""
    started: list[Installation] = []

    def start(data_dir: Path, *options: str, **environment: str) -> Installation:
        started.append(Installation(data_dir, *options, **environment))
        return started[-1]

    yield start
    for each in started:
        each.up.terminate()
        each.wait(timeout_s=45)
