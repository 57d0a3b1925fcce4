"""Tags and filters of the console's templates: `{% load console %}`."""

from datetime import datetime
from typing import Any

from django import template
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
