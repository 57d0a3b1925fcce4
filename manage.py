#!/usr/bin/env python
"""The command line: `manage.py up` runs everything, the rest are Django's and the apps' commands."""

import os
import sys

from django.core.management import execute_from_command_line

from config.runner import up


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:] == ["up"]:  # before Django: there is no database to configure yet
        return up.main()
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
