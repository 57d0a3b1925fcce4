"""`python -m config.runner.preparation BASE_URL`: prepares the database, before the product runs."""

import sys
from io import StringIO

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from config.environment import load_settings

EXPECTED = (ImproperlyConfigured, CommandError, DatabaseError)


def prepare(base_url: str) -> None:
    """Migrates, collects the static files, and fills an empty database with the demo."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    call_command("demo", base_url=base_url, stdout=StringIO())


if __name__ == "__main__":
    load_settings()
    django.setup()
    try:
        prepare(sys.argv[1])
    except EXPECTED as error:
        sys.exit(str(error).strip())
