from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apikeys import actions
from assistants.models import Assistant
from core.actor import Actor
from core.errors import Conflict


class Command(BaseCommand):
    """Issues an API key. It is in this app since it grants assistants, which `apikeys` does not know."""

    help = "Issue an API key. Prints the key alone on standard output: it is not shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--manage", action="store_true", help="may use the management API")
        parser.add_argument(
            "--assistant",
            action="append",
            default=[],
            metavar="SLUG",
            help="may call this assistant (repeatable)",
        )

    def handle(self, *args: Any, name: str, manage: bool, assistant: list[str], **options: Any) -> str:
        found = Assistant.objects.filter(slug__in=assistant)
        missing = set(assistant) - {row.slug for row in found}
        if missing:
            raise CommandError(f"There is no assistant {', '.join(sorted(missing))}.")
        try:
            issued = actions.issue(
                by=Actor.system("create_key"),
                name=name,
                can_manage=manage,
                assistant_ids=[row.pk for row in found],
            )
        except ValidationError as error:
            raise CommandError(f"The key's name: {' '.join(error.messages)}") from error
        except Conflict as error:
            raise CommandError(str(error.detail)) from error
        return issued.key
