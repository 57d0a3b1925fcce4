"""Embeds all tools with another embedder before the processes get its settings."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tools.search import index
from tools.search.index import Progress

SLICE_S = 5.0
WAIT_S = 1.0


class Command(BaseCommand):
    help = (
        "Embed all tools with the embedder of this command's settings. Run it with those of a new embedder "
        "before the processes get them: its vectors lie ready then, beside those in use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anew",
            action="store_true",
            help="forget first what this embedder has made: words alone meanwhile",
        )

    def handle(self, *args: Any, anew: bool, **options: Any) -> str:
        if anew:
            index.forget_vectors()
        progress = index.progress()
        if not progress.embedder:
            raise CommandError(progress.degraded)
        while not progress.is_complete:
            self._work()
            progress = index.progress()
            self._report(progress)
        return f"All {progress.functions} tools are embedded by {progress.embedder}."

    def _work(self) -> None:
        """Works for a while. The vectors in use stay (`promote`) until workers have the new settings."""
        index.forget_failure()
        if not index.work(for_s=SLICE_S, promote=False):
            if failure := index.failure():
                raise CommandError(failure)
            time.sleep(WAIT_S)  # a worker is at it, or all is done

    def _report(self, progress: Progress) -> None:
        self.stdout.write(f"{progress.embedded} of {progress.functions} tools are embedded.")
