"""Numbers for people."""

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

_SECOND_MS, _MINUTE_MS = 1_000, 60_000
_STEPS = ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k"))


def whole(number: int) -> str:
    """Returns a number with its thousands set apart."""
    return number_format(number, force_grouping=True)


def short(number: int) -> str:
    """Returns about three digits of a large number: 12.3k, 4.5M."""
    for least, suffix in _STEPS:
        if number >= least:
            unit = 1_000 if suffix == "k" else least
            return f"{number_format(number / unit, decimal_pos=1)}{suffix}"
    return whole(number)


def percent(part: float, of: float) -> str:
    """Returns a share, without decimals if it is 10 % or more; `-` of nothing."""
    if not of:
        return "-"
    share = 100 * part / of
    return f"{number_format(share, decimal_pos=0 if share >= 10 or share == 0 else 1)} %"


def duration(milliseconds: Any) -> str:
    """Returns a duration: 250 ms, 1.5 s, 2 min 5 s; `-` for None."""
    if milliseconds is None:
        return "-"
    if milliseconds < _SECOND_MS:
        return _("%(number)s ms") % {"number": int(milliseconds)}
    if milliseconds < _MINUTE_MS:
        return _("%(number)s s") % {"number": number_format(milliseconds / _SECOND_MS, decimal_pos=1)}
    minutes, rest = divmod(round(milliseconds / _SECOND_MS), 60)
    return _("%(minutes)s min %(seconds)s s") % {"minutes": whole(minutes), "seconds": rest}
