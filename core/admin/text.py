"""Texts that servers and callers wrote, made fit to be shown: what would hide or reorder text is visible."""

import re
from typing import Any

from django.utils.translation import gettext as _

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def shown(text: Any, *, most: int = 4_000) -> str:
    """Returns a text without ANSI escapes (ECMA-48), with control and bidi characters as `<U+202E>`.

    Of one longer than `most` characters it returns the beginning, and says so. It is not escaped.
    """
    # Cut first, with room for escapes: the cost must not grow with what somebody sent.
    whole = str(text)
    visible = _INVISIBLE.sub(_named, _ANSI.sub("", whole[: 2 * most].replace("\r\n", "\n")))
    if len(visible) <= most and len(whole) <= 2 * most:
        return visible
    return f"{visible[:most]} … {_('(cut: %(count)s characters)') % {'count': f'{len(whole):,}'}}"


def escaped(json: str) -> str:
    """Returns JSON in which such characters are escaped: it means the same, and can be edited."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def tail(text: str, *, lines: int = 200, most: int = 20_000) -> str:
    """Returns the last lines of an output, fit to be shown."""
    return shown("\n".join(text[-most:].splitlines()[-lines:]), most=2 * most)


def _named(found: re.Match[str]) -> str:
    return f"<U+{ord(found[0]):04X}>"
