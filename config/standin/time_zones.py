"""Time zones that a text mentions by name (Asia/Shanghai), city (New York) or country (Japan)."""

import re
import zoneinfo
from functools import cache
from typing import NamedTuple

_REGIONS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_WORDS = {"center", "easter", "resolute", "reunion", "troll", "wake"}
"""Cities of the time zone database that are everyday words."""
_OTHER_NAMES = {
    "utc": "UTC",
    "gmt": "Etc/GMT",
    "beijing": "Asia/Shanghai",
    "shenzhen": "Asia/Shanghai",
    "china": "Asia/Shanghai",
    "japan": "Asia/Tokyo",
    "osaka": "Asia/Tokyo",
    "mumbai": "Asia/Kolkata",
    "delhi": "Asia/Kolkata",
    "india": "Asia/Kolkata",
    "germany": "Europe/Berlin",
    "munich": "Europe/Berlin",
    "frankfurt": "Europe/Berlin",
    "france": "Europe/Paris",
    "england": "Europe/London",
    "uk": "Europe/London",
    "barcelona": "Europe/Madrid",
    "milan": "Europe/Rome",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "california": "America/Los_Angeles",
    "boston": "America/New_York",
    "washington": "America/New_York",
}


class Mention(NamedTuple):
    zone: str
    """IANA name."""
    before: str
    """The word before it, in lower case: `from`, `to`, `in`."""


def mentions(text: str) -> list[Mention]:
    """Returns the zones in the order of the text, each once."""
    found: dict[str, Mention] = {}
    for match in _pattern().finditer(text):
        zone = _zones()[match["name"].lower().replace("_", " ")]
        found.setdefault(zone, Mention(zone, (match["before"] or "").lower()))
    return list(found.values())


@cache
def _zones() -> dict[str, str]:
    """Returns IANA names by all names, in lower case."""
    zones: dict[str, str] = {}
    # Short names first: where two zones have a city of the same name, the one of the shorter path gets it.
    for zone in sorted(zoneinfo.available_timezones(), key=lambda name: (name.count("/"), name)):
        region, _, city = zone.rpartition("/")
        if region.split("/")[0] in _REGIONS:
            zones[zone.lower().replace("_", " ")] = zone
            zones.setdefault(city.lower().replace("_", " "), zone)
    return {name: zone for name, zone in zones.items() if name not in _WORDS} | _OTHER_NAMES


@cache
def _pattern() -> re.Pattern[str]:
    # The longest first: a regular expression uses the first alternative that matches.
    names = sorted((re.escape(name).replace(r"\ ", "[ _]") for name in _zones()), key=len, reverse=True)
    return re.compile(rf"(?:\b(?P<before>[a-z]+)\s+)?\b(?P<name>{'|'.join(names)})\b", re.IGNORECASE)
