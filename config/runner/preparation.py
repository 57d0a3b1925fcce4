"""`python -m config.runner.preparation BASE_URL`: prepares the database, before the product runs.

With `--restore FILE` it is filled from a backup before, and the last line that is printed says so.
"""

import argparse
import signal
import sys
import time
from io import StringIO
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils.module_loading import import_string

from config.environment import given, load_settings
from config.runner import postgres
from config.runner.options import restoring

POLL_S = 0.03
EXPECTED = (ImproperlyConfigured, CommandError, DatabaseError, OSError)


def wait_for_database() -> None:
    """Waits while the embedded one starts. Whoever has started it gives up where it does not come."""
    while not postgres.is_ready(given("DATABASE_URL")):
        time.sleep(POLL_S)


def prepare(base_url: str) -> None:
    """Migrates, collects the static files, and fills an empty database with the demo."""
    call_command("migrate", verbosity=0, interactive=False)
    # By name: it imports models, which is possible only once Django is set up.
    import_string("config.fit_database.require_fit_database")()
    call_command("collectstatic", verbosity=0, interactive=False)
    call_command("demo", base_url=base_url, stdout=StringIO())


def restore(path: Path, *, without_keys: bool) -> str:
    """Fills an empty database, and returns what the command says. Raises CommandError."""
    # Whoever is told to end ends what it has started, too, before PostgreSQL is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    return str(call_command("restore", path, without_keys=without_keys, stdout=StringIO()))


def main() -> None:
    parser = argparse.ArgumentParser(parents=[restoring()])
    parser.add_argument("base_url")
    asked = parser.parse_args()
    wait_for_database()
    restored = restore(asked.restore, without_keys=asked.without_keys) if asked.restore else ""
    prepare(asked.base_url)
    if restored:
        print(restored)


if __name__ == "__main__":
    load_settings()
    django.setup()
    try:
        main()
    except EXPECTED as error:
        sys.exit(str(error).strip())
