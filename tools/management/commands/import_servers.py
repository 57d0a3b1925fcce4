import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from core.actor import Actor
from core.printable import printable, shown
from tools import importing
from tools.importing import Imported


class Command(BaseCommand):
    help = "Register the servers in the file of an MCP client, each by itself; prints what became of each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="JSON, JSON with comments or YAML; - reads standard input")
        parser.add_argument(
            "--update", action="store_true", help="change servers that are registered and differ"
        )
        parser.add_argument(
            "--preview", action="store_true", help="write nothing, only tell what would happen"
        )

    def handle(self, *args: Any, file: str, update: bool, preview: bool, **options: Any) -> None:
        verb = importing.preview if preview else importing.apply
        try:
            servers = importing.find_servers(importing.read(_text(file)))
        except ValidationError as error:
            raise CommandError(printable(" ".join(error.messages))) from error
        imported = verb(servers, by=Actor.system("import_servers"), update=update)
        for each in imported:
            self.stdout.write(printable(_line(each)))
        if refused := [shown(each.name) for each in imported if each.is_refused]:
            raise CommandError(f"Not imported: {', '.join(refused)}.")


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not in UTF-8.") from error


def _line(imported: Imported) -> str:
    """Returns one line about a server, with what is wrong, missing or unwise."""
    slug = f" as {imported.mcp_tool.slug}" if imported.mcp_tool else ""
    notes = [f"{field}: {' '.join(messages)}" for field, messages in imported.errors.items()]
    if imported.missing:
        wanted = ", ".join(f"{each.field} {each.name}" for each in imported.missing)
        notes.append(f"Stopped until these are given: {wanted}.")
    return " ".join([f"{shown(imported.name)}: {imported.status}{slug}.", *notes, *imported.warnings])
