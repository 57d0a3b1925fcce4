"""Files that commands are given."""

import sys
from pathlib import Path

from django.core.management.base import CommandError


def content(file: str, *, longest: int) -> bytes:
    """Returns the file, as far as it takes to tell that it is too large; `-` is standard input.

    Raises CommandError.
    """
    try:
        if file == "-":
            return sys.stdin.buffer.read(longest + 1)
        with Path(file).open("rb") as opened:
            return opened.read(longest + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
