import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

from config.runner import env_file
from config.runner.processes import StartFailed

SECRETS = ("SECRET_KEY", "SECRET_ENCRYPTION_KEYS")


class DataDir:
    """The folder that stores everything of one installation, locked by one runner at a time.

    The settings read its file `runtime.env`: the generated secrets and, while the runner runs, the addresses
    of its services.
    """

    def __init__(self, path: Path) -> None:
        """Raises StartFailed when the folder cannot be used, or another runner has locked it."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._lock = _lock(path / "up.lock")
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
        """While the context lasts, commands with the same DATA_DIR find the running services."""
        env_file.write(self.runtime_env, {**self._secrets(), **environment})
        try:
            yield
        finally:
            with suppress(OSError):  # on a full disk they stay, as they do after a crash
                env_file.write(self.runtime_env, self._secrets())

    def demo(self, *, base_url: str) -> dict[str, str]:
        """Returns what `manage.py demo` created, or nothing. `base_url` replaces the address of back then."""
        if stored := env_file.read(self.demo_env):
            env_file.write(self.demo_env, stored | {"BASE_URL": base_url})
        return env_file.read(self.demo_env)

    def _secrets(self) -> dict[str, str]:
        stored = env_file.read(self.runtime_env)
        new = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SECRET_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        return {name: stored.get(name) or new[name] for name in SECRETS}


def _lock(path: Path) -> IO[str]:
    """Locks `path` for as long as this process lives, and writes its process id into it."""
    file = path.open("a+")  # never truncated before the lock is ours: the holder's process id is in it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise StartFailed(f"already running with this DATA_DIR (process {file.read().strip()})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
