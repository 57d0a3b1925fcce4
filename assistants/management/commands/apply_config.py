"""manage.py apply_config"""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assistants import configuration
from assistants.configuration import LONGEST, InvalidConfiguration
from assistants.management.files import content
from core.actor import Actor
from core.printable import printable


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
                configuration.read(content(file, longest=LONGEST)),
                by=Actor.system("apply_config"),
                environ=configuration.fillable(os.environ),
                prune=prune,
                is_trial=dry_run,
            )
        except InvalidConfiguration as error:
            raise CommandError(printable(str(error))) from error
        for line in applied.lines:
            self.stdout.write(printable(line))
        for step in applied.steps:
            self.stderr.write(printable(f"To do: {step}"))
