"""Backs up the database."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import backups


class Command(BaseCommand):
    help = "Back up the database into a new file. The processes may run meanwhile."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> str:
        try:
            made = backups.back_up(file)
        except backups.BackupFailed as failure:
            raise CommandError(str(failure)) from failure
        return (
            f"{file} holds the database as it was at {made.age}. Its secrets are encrypted: keep\n"
            f"SECRET_ENCRYPTION_KEYS, too, at another place. Their fingerprints: {', '.join(made.keys)}."
        )
