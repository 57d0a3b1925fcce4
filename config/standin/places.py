"""Time zones that a text speaks of, by name (Asia/Shanghai), by city (New York) or by country (Japan)."""

import re
import zoneinfo
from functools import cache
from typing import NamedTuple

_REGIONS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_EVERYDAY = {"center", "easter", "resolute", "reunion", "troll", "wake"}  # cities that are words too
_ALSO = {
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


class Place(NamedTuple):
    zone: str
    """IANA name."""
    before: str
    """The word before it, in lower case: `from`, `to`, `in`."""


def places(text: str) -> list[Place]:
    """In the order of the text, each zone once."""
    found: dict[str, Place] = {}
    for match in _pattern().finditer(text):
        zone = _zones()[match["name"].lower().replace("_", " ")]
        found.setdefault(zone, Place(zone, (match["before"] or "").lower()))
    return list(found.values())


@cache
def _zones() -> dict[str, str]:
    zones: dict[str, str] = {}
    for zone in sorted(zoneinfo.available_timezones(), key=lambda name: (name.count("/"), name)):
        region, _, city = zone.rpartition("/")
        if region.split("/")[0] in _REGIONS:
            zones[zone.lower().replace("_", " ")] = zone
            zones.setdefault(city.lower().replace("_", " "), zone)
    return {name: zone for name, zone in zones.items() if name not in _EVERYDAY} | _ALSO


@cache
def _pattern() -> re.Pattern[str]:
    names = sorted((re.escape(name).replace(r"\ ", "[ _]") for name in _zones()), key=len, reverse=True)
    return re.compile(rf"(?:\b(?P<before>[a-z]+)\s+)?\b(?P<name>{'|'.join(names)})\b", re.IGNORECASE)
