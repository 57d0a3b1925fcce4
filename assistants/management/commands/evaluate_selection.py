"""manage.py evaluate_selection"""

import argparse
from collections import defaultdict
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from assistants.selection import evaluation
from assistants.selection.evaluation import Case, Measured, Ranking
from tools.search import search
from tools.search.embedder import active


class Command(BaseCommand):
    help = "Measure, by past runs, how well tools were selected, and what another k or embedder would keep."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--assistant", default="", help="its slug; else all of them")
        parser.add_argument("--k", type=_numbers, default=[5, 10, 20], help="for example 5,10,20")
        parser.add_argument("--since", type=_time, help="a date or time, for example 2026-11-01")
        parser.add_argument("--limit", type=int, default=1_000, help="how many runs, the latest first")

    def handle(self, *_: Any, **options: Any) -> None:
        cases = evaluation.cases(slug=options["assistant"], since=options["since"], limit=options["limit"])
        if not cases:
            self.stdout.write("No run has called a tool that a selection could have missed.")
            return
        by_assistant: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            by_assistant[case.assistant.slug].append(case)
        for slug, cases in sorted(by_assistant.items()):
            self.stdout.write(slug)
            self._report(cases, options["k"])

    def _report(self, cases: list[Case], ks: list[int]) -> None:
        selected = [case for case in cases if case.selection]
        if selected:
            self._line("as it was", evaluation.measure(selected, lambda case: case.ranking, ks))
            tokens = evaluation.tokens(selected)
            self.stdout.write(
                f"  tokens a run    {tokens.given:,.0f} of {tokens.of_all:,.0f}: {tokens.saved:.0%} saved"
            )
        if asked := [case for case in cases if case.request]:
            embedder = active()
            self._line(f"searched now by {embedder.name if embedder else 'words'}", _replayed(asked, ks))
        else:
            self.stdout.write("  To search again, too: have the assistant store bodies.")

    def _line(self, name: str, measured: Measured) -> None:
        recalls = "  ".join(f"@{k} {recall:.3f}" for k, recall in measured.recalls.items())
        about = f"runs: {measured.runs}, tools called: {measured.called}"
        self.stdout.write(f"  {name}: recall {recalls}  ({about})")


def _replayed(cases: list[Case], ks: list[int]) -> Measured:
    def found(case: Case) -> Ranking:
        hits = async_to_sync(search)(case.request, evaluation.scope(case.assistant), limit=max(ks)).hits
        return [hit.public_name for hit in hits]

    return evaluation.measure(cases, found, ks)


def _numbers(text: str) -> list[int]:
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise argparse.ArgumentTypeError("Give whole numbers from 1, separated by commas.")
    return numbers


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("Give a date or time as in ISO 8601.") from None
    return time if time.tzinfo else timezone.make_aware(time)
