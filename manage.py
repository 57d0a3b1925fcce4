#!/usr/bin/env python
"""The command line: `manage.py up` runs everything, the rest are Django's and the apps' commands."""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config.environment import load_settings
from config.runner import up


def main() -> int:
    if sys.argv[1:] == ["up"]:  # before the settings: there is no database to name in them yet
        return up.main()
    load_settings()
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, OperationalError) as error:
        sys.exit(f"MCP Connector cannot run: {str(error).strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
