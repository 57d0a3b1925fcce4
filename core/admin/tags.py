"""Tags and filters of the console's templates: `{% load console %}`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.db.models import Model
from django.utils.html import conditional_escape
from django.utils.text import capfirst
from django.utils.translation import gettext

from core.admin import pills, text, times
from core.message import restored

register = template.Library()
register.simple_tag(pills.pill, name="pill")


@register.filter
def shown(value: Any, most: int = 4_000) -> str:
    """A text of a server or a caller: see `core.admin.text`."""
    return text.shown(value, most=most)


@register.filter
def translated(value: Any) -> str:
    """A text of ours that is stored in English, in the reader's language. Any other stays as it is.

    `{% translate text as name %}` escapes a variable, so that `{{ name|shown }}` would escape it twice.
    """
    return gettext(str(value)) if value else ""


@register.filter
def explained(error: Any) -> str:
    """The message of a server's stored error, in the reader's language; empty without one."""
    return restored(error).said() if error else ""


@register.filter
def tail(value: Any) -> str:
    """The last lines of an output."""
    return text.tail(str(value or ""))


@register.simple_tag
def time_ago(when: datetime | None) -> str:
    return times.time_tag(when)


@register.filter
def without_app(parts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The parts {title, link} of unfold's heading without the first, an app, and without a repeated name."""
    shown = parts[1:] or parts
    *before, last = shown
    repeats = bool(before) and conditional_escape(before[-1]["title"]) == str(last["title"]).strip()
    return before if repeats else shown


@register.filter
def title_in_sidebar(part: Mapping[str, Any]) -> Any:
    """What the sidebar calls the page of a part of the heading. Names of rows stay as they are."""
    groups = settings.UNFOLD["SIDEBAR"]["navigation"]
    titles = {str(item["link"]): item["title"] for group in groups for item in group["items"]}
    title = part["title"]
    named = str(title) if isinstance(title, Model) else capfirst(title)
    return titles.get(str(part.get("link", "")), named)
