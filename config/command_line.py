"""`manage.py help`: one line for each command, ours before those of Django and its packages."""

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from textwrap import shorten

import psycopg
from django.core.management import BaseCommand, ManagementUtility, get_commands, load_command_class
from django.utils.module_loading import import_string

from config.runner import up
from core.database import DATABASE_ERRORS, session

OURS = ("apikeys", "tools", "connector", "assistants", "config")
FOR_ANY_DATABASE = {"backup", "doctor", "migrate", "restore"}
WIDTH = 100  # characters of a description
# Settings load with these, and nothing is connected to: whoever asks for help may have no installation yet.
PLACEHOLDERS = {
    "SECRET_KEY": "help",
    "SECRET_ENCRYPTION_KEYS": "help",
    "DATABASE_URL": "django.db.backends.dummy://",
    "REDIS_URL": "redis://help",
}


def asks_for_help(arguments: Sequence[str]) -> bool:
    return not arguments or arguments[0] == "help" or bool({"-h", "--help"}.intersection(arguments))


def allow_missing_settings() -> None:
    for name, value in PLACEHOLDERS.items():
        os.environ[name] = os.environ.get(name) or value


def reason(error: Exception) -> str:
    """Returns why a command could not run. Not every error says why there is no connection: one more does."""
    if isinstance(error.__cause__, psycopg.OperationalError):
        try:
            session().close()
        except psycopg.Error as refused:
            return str(refused).strip()
    return str(error).strip()


class CommandLine(ManagementUtility):
    """Django's command line, whose list of commands is sorted for people: Django's own has names only."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Exits with status 1 and the reasons where a command of ours would find a database unfit for it."""
        # A command that finds no database says so and ends. The pool would say it before, once an attempt.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        is_ours = get_commands().get(subcommand) in OURS and subcommand not in FOR_ANY_DATABASE
        if is_ours and not asks_for_help(self.argv[1:]):
            with suppress(*DATABASE_ERRORS):  # the command will say it
                # By name: it imports models, which is possible only now that Django is set up.
                import_string("config.fit_database.refuse_unfit_database")()
        return super().fetch_command(subcommand)

    def main_help_text(self, commands_only: bool = False) -> str:
        if commands_only:
            return super().main_help_text(commands_only)
        ours = {name for name, app in get_commands().items() if app in OURS}
        lines = [
            f"Usage: {self.prog_name} COMMAND [OPTIONS]",
            f"       {self.prog_name} help COMMAND",
            "",
            "MCP Connector:",
            _line("up", up.DESCRIPTION),
            *_described(ours),
            "",
            "Django and its packages:",
            *_described(get_commands().keys() - ours),
        ]
        return "\n".join(lines)


def _described(names: Iterable[str]) -> list[str]:
    apps = get_commands()
    return [_line(name, load_command_class(apps[name], name).help) for name in sorted(names)]


def _line(name: str, description: str) -> str:
    """Returns the command with the first sentence of its description."""
    sentence = " ".join(str(description).split()).partition(". ")[0].removesuffix(".")
    return f"  {name:<25} {shorten(sentence, WIDTH, placeholder=' ...')}"
