#!/usr/bin/env python
"""The command line: `manage.py up` runs everything, `manage.py help` lists the other commands."""

import errno
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.db import InternalError, OperationalError

from config import command_line
from config.environment import load_settings, nothing_runs
from config.runner import up


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["up"]:  # before the settings: there is no database to name in them yet
        return up.main(arguments[1:])
    if arguments == ["help", "up"]:
        return up.main(["--help"])
    if command_line.asks_for_help(arguments):
        command_line.allow_missing_settings()
    try:
        load_settings()
        command_line.CommandLine(sys.argv).execute()
        sys.stdout.flush()
    # A database that takes no writes says so by InternalError, one whose disk is full by OperationalError.
    except (ImproperlyConfigured, InternalError, OperationalError) as error:
        reason = command_line.reason(error)
        # What the database says about a connection that it refuses, libpq has as text alone.
        is_reached = getattr(error.__cause__, "sqlstate", None) is not None or "FATAL: " in reason
        hint = "" if is_reached or isinstance(error, ImproperlyConfigured) else f"\n{nothing_runs()}"
        sys.exit(f"MCP Connector cannot run: {reason}{hint}")
    except OSError as error:
        if error.filename or error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        _forget_output()
        sys.exit(f"What the command prints cannot be written: {error.strerror}.")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _forget_output() -> None:
    """Python would try again to write what is left as it ends, and complain with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
