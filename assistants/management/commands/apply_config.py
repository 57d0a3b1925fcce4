"""manage.py apply_config"""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assistants import configuration
from assistants.configuration import LONGEST, InvalidConfiguration
from core.actor import Actor


class Command(BaseCommand):
    help = "Make what is configured equal to a file of export_config. Prints what differed, a line a field."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="YAML; - reads standard input")
        parser.add_argument("--dry-run", action="store_true", help="change nothing, only print what differs")
        parser.add_argument(
            "--prune", action="store_true", help="delete what the sections of the file do not name"
        )

    def handle(self, *args: Any, file: str, dry_run: bool, prune: bool, **options: Any) -> None:
        try:
            applied = configuration.apply(
                configuration.read(_content(file)),
                by=Actor.system("apply_config"),
                environ=os.environ,
                prune=prune,
                is_trial=dry_run,
            )
        except InvalidConfiguration as error:
            raise CommandError(str(error)) from error
        for line in applied.lines:
            self.stdout.write(line)
        for step in applied.steps:
            self.stderr.write(f"To do: {step}")


def _content(file: str) -> bytes:
    """Returns the file, as far as it takes to tell that it is too large."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(LONGEST + 1)
        with Path(file).open("rb") as opened:
            return opened.read(LONGEST + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
