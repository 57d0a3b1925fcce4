import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from config.runner.network import is_free
from config.runner.processes import StartFailed

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not bound to


def data_folder(*, base_dir: Path) -> Path:
    return Path(os.environ.get("DATA_DIR") or base_dir / ".data").absolute()


@dataclass(frozen=True, slots=True)
class Options:
    """The address that the web listens on, and the folder of the data."""

    host: str
    port: int
    data_dir: Path

    @classmethod
    def from_environment(cls, *, base_dir: Path) -> Self:
        """Reads HOST, PORT and DATA_DIR. Raises StartFailed when PORT is not a port number."""
        port = os.environ.get("PORT") or "8000"
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise StartFailed(f"PORT must be a number from 1 to 65535, not {port!r}")
        return cls(os.environ.get("HOST") or "127.0.0.1", int(port), data_folder(base_dir=base_dir))

    @property
    def base_url(self) -> str:
        """The URL of the web for clients on this machine."""
        return f"http://{EVERY_ADDRESS.get(self.host, self.host)}:{self.port}"

    def check_port(self) -> None:
        """Raises StartFailed, with a remedy, when the web could not listen on the address."""
        try:
            free = is_free(self.host, self.port)
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0]
            raise StartFailed(f"cannot listen on {self.host}:{self.port}: {reason}") from error
        if not free:
            raise StartFailed(f"port {self.port} is taken: stop what listens there, or set PORT")


def restoring() -> argparse.ArgumentParser:
    """Returns the parser of what is to be restored, a parent of the parsers of `up` and of `prepare`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--restore", type=Path, metavar="FILE", help="first fill the empty database from a backup"
    )
    parser.add_argument(
        "--without-keys", action="store_true", help="restore secrets that no key here decrypts, too"
    )
    return parser
