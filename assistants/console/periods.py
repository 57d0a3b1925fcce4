"""The periods that the console's pages sum over, in equal parts. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The `number` latest parts of length `part`, which begin at full hours or days. The last one goes on."""

    name: str
    title: Any
    part: timedelta
    number: int

    def since(self, now: datetime) -> datetime:
        """Returns the begin of the first part."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        present = midnight + (now - midnight) // self.part * self.part
        return present - self.part * (self.number - 1)

    def starts(self, now: datetime) -> list[datetime]:
        """Returns the begin of each part."""
        since = self.since(now)
        return [since + self.part * number for number in range(self.number)]

    def label(self, start: datetime) -> str:
        """Returns the name of a part, for the axis of a chart."""
        if self.part >= DAY:
            return date_format(start, "MONTH_DAY_FORMAT")
        if self.part > HOUR:
            return f"{date_format(start, 'MONTH_DAY_FORMAT')}, {date_format(start, 'H:i')}"
        return date_format(start, "H:i")


PERIODS = {
    period.name: period
    for period in (
        Period("24h", _("24 hours"), HOUR, 24),
        Period("7d", _("7 days"), 6 * HOUR, 28),
        Period("30d", _("30 days"), DAY, 30),
    )
}
UPTIME = (Period("24h", _("24 hours"), HOUR, 24), Period("90d", _("90 days"), DAY, 90))


def chosen(name: str | None) -> Period:
    """Returns the period of this name; the shortest one for any other name."""
    return PERIODS.get(name or "", PERIODS["24h"])
