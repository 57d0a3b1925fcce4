"""Secret extraction: finds secrets in a server's settings, missing ones, and unwise settings. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from tools import references
from tools.secrets.detection import is_placeholder, is_secret_name, looks_secret
from tools.secrets.masking import MASK, masked_args, masked_url

_PARAMETER = re.compile(r"[?&#]([^=&#]*)=")
_PACKAGE_RUNNERS = {"npx", "uvx"}


@dataclass(frozen=True, slots=True)
class SecretLocation:
    """Where a secret stands. `field`: env, args, url or headers; `name`: of the variable, option etc."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How to start or reach a server, as a person wrote it."""

    command: str
    args: Sequence[str]
    env: Mapping[str, str]
    url: str
    headers: Mapping[str, str]


def find_secrets(settings: Settings) -> list[SecretLocation]:
    """Returns the locations of values that look secret."""
    found = SecretLocation
    return [
        *(found("env", name) for name, value in settings.env.items() if _is_secret(name, value)),
        *(found("args", name) for name in _secret_args(settings.args)),
        *(found("url", name) for name in _secret_parts(settings.url)),
        *(found("headers", name) for name, value in settings.headers.items() if _is_secret(name, value)),
    ]


def find_missing(settings: Settings) -> list[SecretLocation]:
    """Returns the locations of placeholders: secrets that a person has yet to give."""
    found = SecretLocation
    # A launch fills `${NAME}` from the variables everywhere else: it is missing only if the variable is.
    known = {name: value for name, value in settings.env.items() if value}
    return [
        *(found("env", name) for name, value in settings.env.items() if _is_missing(name, value, {})),
        *(found("args", arg) for arg in settings.args if _is_missing("", arg, known)),
        *([found("url", "url")] if _is_missing("", settings.url, known) or MASK in settings.url else []),
        *(
            found("headers", name)
            for name, value in settings.headers.items()
            if _is_missing(name, value, known)
        ),
    ]


def find_warnings(settings: Settings) -> list[str]:
    """Returns what is unwise in the settings, for people."""
    found = []
    args = [references.fill(arg, settings.env)[0] for arg in settings.args]
    if masked_args(args) != args:
        found.append(
            gettext("Whoever can list the processes of the workers' host sees arguments: use variables.")
        )
    if (package := _package(settings)) and "@" not in package[1:] and "==" not in package:
        warning = gettext(
            "The newest version of %(package)s is run at each start: name one (%(package)s@1.2.3)."
        )
        found.append(warning % {"package": package})
    return found


def _is_secret(name: str, value: str) -> bool:
    if not value or is_placeholder(value) or references.are_in(value):
        return False
    return is_secret_name(name) or looks_secret(value) or masked_url(value) != value


def _secret_args(args: Sequence[str]) -> Iterator[str]:
    """Yields names for the secret arguments: that of their option, or their number."""
    shown = masked_args(args)
    # Masking decides what is secret: what people see masked is what they are told of.
    for number, (before, arg, mask) in enumerate(zip(["", *args], args, shown, strict=False)):
        if arg == mask:
            continue
        if mask == MASK and before.startswith("-"):
            yield before
        else:
            yield mask.partition(MASK)[0].rstrip("=: ") or f"#{number + 1}"


def _secret_parts(url: str) -> Iterator[str]:
    shown = masked_url(url)
    if shown == url:
        return
    yield from (name for name in _PARAMETER.findall(shown) if f"{name}={MASK}" in shown)
    if f"{MASK}@" in shown:
        yield "credentials"
    if f"/{MASK}" in shown:
        yield "path"


def _is_missing(name: str, value: str, known: Mapping[str, str]) -> bool:
    if not value:
        return is_secret_name(name)
    filled, unfilled = references.fill(value, known)
    if unfilled:
        return True
    # A reference that was filled looks as a placeholder does.
    return filled == value and (is_placeholder(value) or MASK in value)


def _package(settings: Settings) -> str:
    """Returns the package that npx or uvx runs; "" for other commands."""
    if settings.command not in _PACKAGE_RUNNERS:
        return ""
    return next((arg for arg in settings.args if not arg.startswith("-")), "")
