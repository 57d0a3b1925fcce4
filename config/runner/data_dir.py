import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

from config.runner import env_file
from config.runner.processes import StartFailed

SECRETS = ("SECRET_KEY", "SECRET_ENCRYPTION_KEYS")


class DataDir:
    """The folder where everything of one installation is kept, held by one runner at a time.

    `runtime.env` is what the settings read: the generated secrets, always, and while the runner runs where
    its services are.
    """

    def __init__(self, path: Path) -> None:
        """Raises StartFailed when the folder cannot be used, or another runner holds it."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._lock = _hold(path / "up.lock")
        except OSError as error:
            raise StartFailed(f"DATA_DIR {path} cannot be used: {error.strerror}") from error

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def runtime_env(self) -> Path:
        return self.path / "runtime.env"

    @property
    def demo_env(self) -> Path:
        return self.path / "demo.env"

    @contextmanager
    def announced(self, environment: Mapping[str, str]) -> Iterator[None]:
        """Meanwhile every command that is given this folder finds the running services."""
        env_file.write(self.runtime_env, {**self._secrets(), **environment})
        try:
            yield
        finally:
            env_file.write(self.runtime_env, self._secrets())

    def demo(self, *, base_url: str) -> dict[str, str]:
        """What `manage.py demo` created, if anything, at the address of today."""
        if kept := env_file.read(self.demo_env):
            env_file.write(self.demo_env, kept | {"BASE_URL": base_url})
        return env_file.read(self.demo_env)

    def _secrets(self) -> dict[str, str]:
        kept = env_file.read(self.runtime_env)
        new = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SECRET_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        return {name: kept.get(name) or new[name] for name in SECRETS}


def _hold(path: Path) -> IO[str]:
    """A lock that lasts as long as this process."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise StartFailed(f"already running with this DATA_DIR (process {file.read().strip()})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
