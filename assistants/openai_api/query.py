"""Parameters of a query, checked: a wrong one is refused rather than replaced."""

from collections.abc import Sequence

from django.http import HttpRequest

from core.errors import InvalidRequest


def number(request: HttpRequest, name: str, *, default: int, least: int = 0, most: int = 10**9 - 1) -> int:
    """Raises InvalidRequest for what is no whole number from `least` to `most`."""
    text = request.GET.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise _invalid(name, f"'{name}' must be a whole number from {least} to {most}.")
    return int(text)


def choice(request: HttpRequest, name: str, choices: Sequence[str]) -> str:
    """Returns one of the choices; the first one where the query has none. Raises InvalidRequest."""
    text = request.GET.get(name, "") or choices[0]
    if text not in choices:
        raise _invalid(name, f"'{name}' must be one of: {', '.join(choices)}.")
    return text


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=name, code="invalid_value")
