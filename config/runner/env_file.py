"""Files of NAME=value lines that only their owner may read. Values are without line breaks and quotes."""

import os
from collections.abc import Mapping
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """Returns an empty dictionary if there is no such file."""
    if not path.exists():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines if name}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replaces the file atomically: a reader, or a crash, finds the old values or the new ones."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
