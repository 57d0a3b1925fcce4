"""`python -m bench.fill`: fills the database of DATABASE_URL, as if it had been used for months.

It adds rows to those that are there, and takes about a minute. Use a database of its own: a worker on it
would try to start its servers.
"""

import argparse
import os
from importlib import import_module

import django


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fill", description=__doc__)
    for name, default in (("servers", 500), ("keys", 1_000), ("runs", 100_000), ("days", 90)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    installation = import_module("bench.installation")
    installation.fill(installation.Size(**vars(given)))


if __name__ == "__main__":
    main()
