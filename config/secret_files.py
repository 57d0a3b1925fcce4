"""`python -m config.secret_files FOLDER`: one file for each secret that the containers need.

A secret that the environment gives is written as it is given, one that is stored stays, any other is made.
The files are named like their settings: `NAME_FILE=FOLDER/NAME` gives a process one of them. Whoever can
enter the folder can read them: the database and the broker run as other users than the product.
"""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet

GENERATED: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "SECRET_ENCRYPTION_KEYS": lambda: Fernet.generate_key().decode(),
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(24),
    "REDIS_PASSWORD": lambda: secrets.token_hex(24),
    "METRICS_TOKEN": lambda: secrets.token_urlsafe(32),
}
ADDRESSES = {
    "DATABASE_URL": "postgresql://mcp_connector:{POSTGRES_PASSWORD}@postgres/mcp_connector",
    "REDIS_URL": "redis://:{REDIS_PASSWORD}@redis:6379/0",
}
"""Of the services in docker-compose.yml, unless the environment names others."""


def write(folder: Path, given: Mapping[str, str]) -> None:
    """Writes all files. Raises OSError."""
    # A new one is of its owner alone. A volume is there already, for all who run beside the product.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: _value(folder / name, given.get(name, ""), make) for name, make in GENERATED.items()}
    values |= {name: given.get(name) or form.format(**values) for name, form in ADDRESSES.items()}
    for name, value in values.items():
        _replace(folder / name, value)


def _value(path: Path, given: str, make: Callable[[], str]) -> str:
    return given or (path.read_text() if path.exists() else "") or make()


def _replace(path: Path, value: str) -> None:
    """A reader, or a crash, finds the old value or the new one."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(value)
    unfinished.chmod(0o444)
    unfinished.rename(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m config.secret_files FOLDER")
    try:
        write(Path(sys.argv[1]), os.environ)
    except OSError as error:
        sys.exit(f"The secrets cannot be written: {error}")
