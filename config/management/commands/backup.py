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
        parser.add_argument(
            "--without-keys", action="store_true", help="back up where no key here decrypts a secret, too"
        )

    def handle(self, *args: Any, file: Path, without_keys: bool, **options: Any) -> str:
        try:
            made, needed = backups.back_up(file, without_keys=without_keys)
        except backups.BackupFailed as failure:
            raise CommandError(str(failure)) from failure
        if needed.unreadable:
            self.stderr.write(
                f"{needed.unreadable} of {needed.secrets} secrets cannot be decrypted:"
                " SECRET_ENCRYPTION_KEYS lacks their key. Keep it, too, if you have it; without it they have"
                " to be entered anew."
            )
        held = f"{file} holds the database as it was at {made.age}."
        if not made.keys:
            return f"{held} It names no keys to keep: none of those here decrypts anything in it."
        return (
            f"{held} Its secrets are encrypted: keep\n"
            f"SECRET_ENCRYPTION_KEYS, too, at another place. Their fingerprints: {', '.join(made.keys)}."
        )
