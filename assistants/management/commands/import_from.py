"""manage.py import_from"""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assistants import configuration, importers
from assistants.configuration import InvalidConfiguration
from assistants.importers import LONGEST, PRODUCTS
from assistants.management.files import content
from core.printable import printable


class Command(BaseCommand):
    help = "Move here from another product: its configuration or export becomes servers, assistants, keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", choices=sorted(PRODUCTS))
        parser.add_argument(
            "files",
            nargs="+",
            metavar="file",
            help="JSON, JSON with comments or YAML; - reads standard input",
        )
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--dry-run", action="store_true", help="change nothing, only print what would be")
        parser.add_argument("--update", action="store_true", help="change what is there already and differs")
        either.add_argument(
            "--to",
            metavar="FILE",
            default="",
            help="write a file for apply_config instead, with references in place of secrets",
        )

    def handle(
        self,
        *args: Any,
        product: str,
        files: list[str],
        dry_run: bool = False,
        update: bool = False,
        to: str = "",
        **options: Any,
    ) -> None:
        try:
            contents = [content(file, longest=LONGEST) for file in files]
            draft = importers.read(product, contents, environ=configuration.fillable(os.environ))
            if to:
                moved = _written(importers.write(draft), to)
            else:
                moved = importers.place(draft, update=update, is_trial=dry_run)
        except InvalidConfiguration as error:
            raise CommandError(printable(str(error))) from error
        for line in moved.lines:
            self.stdout.write(printable(line))
        for each in moved.left_out:
            self.stderr.write(printable(f"Left out: {each}"))
        for step in moved.steps:
            self.stderr.write(printable(f"To do: {step}"))


def _written(written: importers.Written, to: str) -> importers.Moved:
    try:
        with Path(to).open("x", encoding="utf-8") as opened:
            opened.write(written.text)
    except FileExistsError:
        raise CommandError(f"{to} is there already: name another file.") from None
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error.strerror}.") from error
    return written.moved
