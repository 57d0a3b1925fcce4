"""The settings, or one line that says why there are none."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def load_settings() -> None:
    """Ends the process with status 1 when the environment lacks something or holds what cannot be right."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - the first access loads them
    except ImproperlyConfigured as error:
        sys.exit(f"MCP Connector cannot run: {error}")
