"""Times for people: how long ago, with the exact time on hover."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

JUST_NOW = timedelta(seconds=60)


def ago(when: datetime | None) -> str:
    """Returns `3 minutes ago`; `just now` within a minute, `never` for None."""
    if when is None:
        return _("never")
    if timezone.now() - when < JUST_NOW:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(when, depth=1)}


def exact(when: datetime | None) -> str:
    return date_format(timezone.localtime(when), "Y-m-d H:i:s e") if when else ""


def time_tag(when: datetime | None) -> str:
    """Returns a `<time>` element with the exact time as its title."""
    iso = when.isoformat() if when else ""
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact(when), ago(when))
