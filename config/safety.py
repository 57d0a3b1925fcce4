"""Settings that would open an installation to everybody: no process of the product starts with one."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

SHORTEST_KEY = 32
"""Characters. `secrets.token_urlsafe(48)` makes 64; Django itself warns below 50."""


@dataclass(frozen=True, slots=True)
class Unsafe:
    said: str
    remedy: str


def unsafe_settings() -> Iterator[Unsafe]:
    """Yields what must be changed."""
    key = settings.SECRET_KEY
    if len(key) < SHORTEST_KEY or len(set(key)) < 5 or key.startswith("django-insecure"):
        yield Unsafe(
            f"SECRET_KEY can be guessed: it needs {SHORTEST_KEY} random characters at least.",
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))' makes one.",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Unsafe(
            "ALLOWED_HOSTS=* lets a caller choose the host that links and logins are made for.",
            "List the names by which this installation is called, separated by commas.",
        )
    if settings.DEBUG:
        yield Unsafe("DEBUG shows settings and code to every caller.", "Set it to False.")


def require_safe_settings() -> None:
    """Exits with status 1 and the reasons."""
    if found := [f"{problem.said} {problem.remedy}" for problem in unsafe_settings()]:
        sys.exit("MCP Connector does not run with these settings:\n" + "\n".join(found))
