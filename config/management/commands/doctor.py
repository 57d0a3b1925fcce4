"""Checks the installation, and says what to do."""

import argparse
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import doctor
from core.printable import printable


class Command(BaseCommand):
    help = (
        "Check settings, disk, database, Redis, workers, stored secrets, LLM providers and MCP servers. "
        "Ends with 1 if something failed, so that a deployment can depend on it."
    )
    # What is wrong with them is what is to be found out.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="end with 1 for warnings, too")

    def handle(self, *args: Any, strict: bool, **options: Any) -> None:
        counted: Counter[doctor.State] = Counter()
        for finding in doctor.examine():
            counted[finding.state] += 1
            self.stdout.write(self._line(finding))
        failures = counted[doctor.State.FAILED] + (counted[doctor.State.WARNING] if strict else 0)
        if failures:
            raise CommandError(f"{failures} of {counted.total()} checks failed.")

    def _line(self, finding: doctor.Finding) -> str:
        style = {
            doctor.State.OK: self.style.SUCCESS,
            doctor.State.WARNING: self.style.WARNING,
            doctor.State.FAILED: self.style.ERROR,
        }[finding.state]
        found = printable(f"{finding.subject}: {finding.said}")
        said = f"{style(finding.state.upper().ljust(8))} {found}"
        return f"{said}\n         -> {printable(finding.remedy)}" if finding.remedy else said
