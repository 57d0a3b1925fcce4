"""Loading the settings, with one line instead of a traceback if they are wrong."""

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


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
