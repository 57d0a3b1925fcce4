"""The page of a server's uptime: trackers of 24 hours and of 90 days, and its latest changes of state."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from connector.admin.server_page import ServerPage
from connector.status import history
from connector.status.segments import Segment
from connector.status.uptime import Uptime
from core.admin.times import exact

CHANGES_SHOWN = 50
PERIODS = (("24", timedelta(hours=24), 48), ("90", history.RETENTION, 90))
"""A name, the time before now, and into how many segments the tracker cuts it."""


class ServerUptime(ServerPage):
    permission_required = "tools.view_mcptool"
    template_name = "admin/connector/server/uptime.html"
    tab = "uptime"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        titles = {"24": _("Last 24 hours"), "90": _("Last 90 days")}
        periods = []
        for name, within, count in PERIODS:
            cut = history.segments_of(self.server, within, count=count, now=now)
            figures = history.uptime_of(self.server, within, now=now)
            periods.append(
                {"title": titles[name], "data": [_item(each) for each in cut], **_summary(figures)}
            )
        changes = history.changes_of(self.server)[:CHANGES_SHOWN]
        return super().get_context_data(periods=periods, changes=changes, **kwargs)


def _item(segment: Segment) -> dict[str, str]:
    """Returns an item for unfold's tracker. What its colour says is in its tooltip, too."""
    wanted = segment.up + segment.down
    if not wanted:
        color, word = "track-none", _("was not to run")
    elif segment.down == 0:
        color, word = "track-up", _("served calls")
    else:
        share = _("served calls %(percent)s of the time") % {"percent": _percent(segment.up / wanted)}
        color, word = ("track-part", share) if segment.up else ("track-down", _("was down"))
    within = {"since": exact(segment.since), "until": exact(segment.until), "word": word}
    return {"color": color, "tooltip": _("%(since)s to %(until)s: %(word)s") % within}


def _summary(figures: Uptime) -> dict[str, Any]:
    known = figures.availability is not None
    return {"availability": _percent(figures.availability or 0) if known else "", "outages": figures.outages}


def _percent(share: float) -> str:
    """Returns percent, rounded down: 99.99 % is not 100 %."""
    return f"{int(share * 10_000) / 100:g} %"
