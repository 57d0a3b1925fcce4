"""Settings that load, and that nobody should go to production with."""

from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.doctor.finding import Finding, failed, ok, warning
from config.safety import unsafe_settings
from tools.secrets import encryption


def check() -> Iterator[Finding]:
    found = [*_unsafe(), *_encryption_keys(), *_cookies()]
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
