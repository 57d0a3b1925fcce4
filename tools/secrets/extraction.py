"""Which of a server's settings are secrets, which are still missing, and what is unwise in them. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.secrets.detection import is_placeholder, is_secret_name, looks_secret
from tools.secrets.masking import MASK, masked_args, masked_url

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_PARAMETER = re.compile(r"[?&#]([^=&#]*)=")
_PACKAGE_RUNNERS = {"npx", "uvx"}


@dataclass(frozen=True, slots=True)
class Part:
    """`field`: env, args, url or headers. `name`: of the variable, header, option or parameter."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How to start or reach a server, as people wrote it."""

    command: str
    args: Sequence[str]
    env: Mapping[str, str]
    url: str
    headers: Mapping[str, str]


def secrets(settings: Settings) -> list[Part]:
    """What looks secret, and is there."""
    return [
        *(Part("env", name) for name, value in settings.env.items() if _is_secret(name, value)),
        *(Part("args", name) for name in _secret_args(settings.args)),
        *(Part("url", name) for name in _secret_parts(settings.url)),
        *(Part("headers", name) for name, value in settings.headers.items() if _is_secret(name, value)),
    ]


def missing(settings: Settings) -> list[Part]:
    """Where a placeholder stands for a value."""
    known = settings.env
    return [
        *(Part("env", name) for name, value in settings.env.items() if _is_missing(name, value, {})),
        *(Part("args", arg) for arg in settings.args if _is_missing("", arg, known)),
        *([Part("url", "url")] if _is_missing("", settings.url, {}) or MASK in settings.url else []),
        *(Part("headers", name) for name, value in settings.headers.items() if _is_missing(name, value, {})),
    ]


def warnings(settings: Settings) -> list[str]:
    found = []
    if masked_args(settings.args) != list(settings.args):
        found.append("Whoever can list the processes of the workers' host sees arguments: use variables.")
    if (package := _package(settings)) and "@" not in package[1:] and "==" not in package:
        found.append(f"The newest version of {package} is run at each start: name one ({package}@1.2.3).")
    return found


def _is_secret(name: str, value: str) -> bool:
    if not value or is_placeholder(value) or _REFERENCE.search(value):
        return False
    return is_secret_name(name) or looks_secret(value) or masked_url(value) != value


def _secret_args(args: Sequence[str]) -> Iterator[str]:
    """Named by their option, where they have one."""
    shown = masked_args(args)
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
    references = _REFERENCE.findall(value)
    if references:
        return not all(known.get(reference) for reference in references)
    return is_placeholder(value) or MASK in value


def _package(settings: Settings) -> str:
    """What npx or uvx is asked to run; "" for other commands."""
    if settings.command not in _PACKAGE_RUNNERS:
        return ""
    return next((arg for arg in settings.args if not arg.startswith("-")), "")
