"""Pills: a state as a word with an icon, never by colour alone."""

from typing import Any, Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString

Tone = Literal["success", "warning", "danger", "info", "neutral"]


def pill(word: Any, icon: str, tone: Tone, *, title: Any = "") -> SafeString:
    """Returns a pill. `icon`: the name of a Material symbol; `title`: what is told on hover.

    `console.js` has a function that changes a pill in place.
    """
    return format_html(
        '<span class="pill pill-{}" title="{}"><span class="material-symbols-outlined" aria-hidden="true">{}'
        '</span><span class="pill-word">{}</span></span>',
        tone,
        title,
        icon,
        word,
    )
