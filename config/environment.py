"""Loading the settings, with one line instead of a traceback if they are wrong."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def load_settings() -> None:
    """Exits with status 1 and the reason if a setting is missing from the environment, or is not valid."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - the first access loads them
    except ImproperlyConfigured as error:
        sys.exit(f"MCP Connector cannot run: {error}")
