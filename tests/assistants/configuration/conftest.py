from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError

from tests.assistants.configuration import scene

Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes a configuration file."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


Refused = Callable[..., str]


@pytest.fixture
def refused() -> Refused:
    """Applies a file that is refused (exports, without one), and returns what is said."""

    def refuse(path: Path | None, *options: str) -> str:
        with pytest.raises(CommandError) as caught:
            scene.apply(path, *options) if path else scene.export()
        assert caught.value.returncode == 1
        return str(caught.value)

    return refuse
