"""Restores a backup."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config import backups


class Command(BaseCommand):
    help = "Make the database what it was when a backup was made. Stop web, workers and beat before."
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="delete what the database holds now")
        parser.add_argument(
            "--without-keys", action="store_true", help="restore secrets that no key here decrypts, too"
        )

    def handle(self, *args: Any, file: Path, replace: bool, without_keys: bool, **options: Any) -> str:
        try:
            restored = backups.restore(file, replace=replace, without_keys=without_keys)
        except backups.BackupFailed as failure:
            raise CommandError(str(failure)) from failure
        call_command("migrate", interactive=False, verbosity=0)
        return f"The database is as it was at {restored.age}, and migrated to this version."
