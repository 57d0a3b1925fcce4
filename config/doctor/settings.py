"""Settings that load, and that nobody should go to production with."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.doctor.finding import Finding, failed, ok, warning
from config.safety import unsafe_settings
from connector.process import run_as
from tools.secrets import encryption


def check() -> Iterator[Finding]:
    found = [*_unsafe(), *_encryption_keys(), *_cookies(), *_run_as()]
    yield from found or [ok("Settings", "they are safe")]


def _unsafe() -> Iterator[Finding]:
    for problem in unsafe_settings():
        yield failed("Settings", problem.said, problem.remedy)


def _encryption_keys() -> Iterator[Finding]:
    try:
        encryption.require_keys()
    except ImproperlyConfigured as error:
        yield failed(
            "Settings",
            str(error),
            "Restore the keys that this installation was made with: its secrets are encrypted with them.",
        )


def _cookies() -> Iterator[Finding]:
    if settings.PUBLIC_URL.startswith("https://") and not settings.SESSION_COOKIE_SECURE:
        yield warning(
            "Settings",
            "PUBLIC_URL is https, and the console's cookies may be sent without TLS.",
            "Set SECURE_COOKIES=true.",
        )


def _run_as() -> Iterator[Finding]:
    try:
        run_as.account()
    except run_as.UserUnknown as error:
        yield failed(
            "Settings", f"{error} No local MCP server starts here.", "Make the user, or correct the name."
        )
    except run_as.RunAsRefused:
        yield warning(
            "Settings",
            f"MCP_RUN_AS names {settings.MCP_RUN_AS!r}, and this command may not switch users.",
            "A worker without the right to do so starts no local MCP server: see docs/settings.md.",
        )
