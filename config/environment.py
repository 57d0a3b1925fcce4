"""Loading the settings, with one line instead of a traceback if they are wrong."""

import os
import sys
from pathlib import Path

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

BASE_DIR = Path(__file__).resolve().parent.parent


class _WithFiles(FileAwareMapping):  # type: ignore[misc]  # no types
    """The environment. `NAME_FILE` names a file with the setting NAME, as containers are given secrets."""

    def __getitem__(self, key: str) -> str:
        """Returns the file's text without the line break at its end, with which most files end."""
        try:
            return str(super().__getitem__(key)).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise ImproperlyConfigured(f"{key}_FILE cannot be read: {reason}.") from error


class Environment(environ.Env):  # type: ignore[misc]
    """Reads settings. A file wins over a variable."""

    ENVIRON = _WithFiles()


def given(name: str) -> str:
    """Returns a setting of the environment; "" where it has none."""
    return str(Environment.ENVIRON.get(name, ""))


def load_settings() -> None:
    """Exits with status 1 and the reason if a setting is missing from the environment, or is not valid."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - the first access loads them
    except ImproperlyConfigured as error:
        is_missing = "environment variable" in str(error)  # django-environ's words
        sys.exit(f"MCP Connector cannot run: {error}" + (f".\n{nothing_runs()}" if is_missing else ""))


def nothing_runs() -> str:
    """Returns the likeliest reason for a missing setting, or for a database that does not answer."""
    data_dir = os.environ.get("DATA_DIR") or BASE_DIR / ".data"
    return (
        f"If it is to run here: nothing is running with DATA_DIR={data_dir}. Start it with `make up`, or set "
        "DATA_DIR to the folder that it runs with."
    )
