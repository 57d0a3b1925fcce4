from argparse import ArgumentParser
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError

from assistants.models import Assistant
from assistants.selection.scopes import scope_of
from core.printable import printable
from tools.search import EVERYTHING, Hit, index, search


class Command(BaseCommand):
    """Searches tools. It is in this app since a search can be narrowed to an assistant."""

    help = "Search the tools that models may be given, as the selection of an assistant does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("query")
        parser.add_argument("--assistant", metavar="SLUG", help="search only what it may use")
        parser.add_argument("--limit", type=int, default=10, help="how many to list (10)")

    def handle(self, *args: Any, query: str, assistant: str | None, limit: int, **options: Any) -> None:
        found = async_to_sync(search)(query, self._scope(assistant), limit=max(limit, 1))
        for hit in found.hits:
            self.stdout.write(printable(_line(hit)))
        progress = index.progress()
        self.stderr.write(f"{progress.indexed} of {progress.functions} tools are indexed.")
        if found.degraded:
            self.stderr.write(f"By words alone: {found.degraded}")

    def _scope(self, slug: str | None) -> Any:
        if slug is None:
            return EVERYTHING
        assistant = Assistant.objects.filter(slug=slug).first()
        if assistant is None:
            raise CommandError(f"There is no assistant {slug}.")
        return scope_of(assistant)


def _line(hit: Hit) -> str:
    why = f"{hit.why.dense:.3f} + {hit.why.lexical:.3f} + {hit.why.boost:.3f}"
    return f"{hit.score:.3f} ({why})  {hit.public_name}  {' '.join(hit.description.split())[:100]}"
