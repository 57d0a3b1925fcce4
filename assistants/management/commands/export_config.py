"""manage.py export_config"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assistants import configuration
from assistants.configuration import InvalidConfiguration
from core.printable import printable


class Command(BaseCommand):
    help = "Write the configuration to standard output as YAML, with references in place of secrets."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(configuration.export(), ending="")
        except InvalidConfiguration as error:
            raise CommandError(printable(str(error))) from error
