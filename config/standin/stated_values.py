"""Values that a message states, for arguments: quoted text, numbers, times of day, time zones, addresses."""

import re
from dataclasses import dataclass, field
from typing import Self

from config.standin.time_zones import Mention, mentions

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_NUMBER = re.compile(r"(?<![\w.:/])-?\d+(?:\.\d+)?(?![\w:/]|\.\d)")
_CLOCK = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d))?\s*(?P<half>[ap]m)?\b", re.IGNORECASE
)
_SHAPES = {
    "uri": re.compile(r"https?://[^\s\"'<>]+[^\s\"'<>.,;:!?)]"),
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"),
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "date-time": re.compile(r"\b\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?"),
    "path": re.compile(r"(?<!\S)(?:~|\.{0,2})/[^\s\"']+"),
}
_SHAPES["url"] = _SHAPES["uri"]
_SHAPES["location"] = _SHAPES["city"] = re.compile(r"(?<=\b[Ii]n )[A-Z]\w+(?:,? [A-Z]\w+)*")

_NAME = re.compile(r"(?<=[\w,;:'\"] )[A-Z][\w'-]*(?: [A-Z][\w'-]*)*")  # not at the start of a sentence
_PHRASE = re.compile(
    r".*\b(?:of|in|for|from|about|at|on|to|with|named|called) (?:the |an? )?([^.,;:?!]*\w)", re.DOTALL
)


@dataclass(slots=True)
class StatedValues:
    """The values of one message. Quoted texts and numbers are used up in their order; others are not."""

    text: str
    _quoted: list[str] = field(default_factory=list)
    _numbers: list[str] = field(default_factory=list)
    _zones: list[Mention] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> Self:
        quoted = ["".join(groups) for groups in _QUOTED.findall(text)]
        return cls(text, quoted, _NUMBER.findall(_QUOTED.sub(" ", text)), mentions(text))

    def quoted(self) -> str | None:
        return self._quoted.pop(0) if self._quoted else None

    def number(self, name: str, *, whole: bool) -> int | float | None:
        stated = self.labelled(name)
        if stated is not None and _NUMBER.fullmatch(stated) and stated in self._numbers:
            self._numbers.remove(stated)
        else:
            stated = self._numbers.pop(0) if self._numbers else None
        if stated is None:
            return None
        return int(float(stated)) if whole or "." not in stated else float(stated)

    @property
    def left(self) -> int:
        """How many quoted texts and numbers are not used up."""
        return len(self._numbers) + len(self._quoted)

    def clock(self) -> str | None:
        """Returns the first time of day, as HH:MM on the 24-hour clock."""
        for match in _CLOCK.finditer(self.text):
            if match["minute"] or match["half"]:
                hour = int(match["hour"])
                if match["half"]:
                    hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
                return f"{hour:02}:{match['minute'] or '00'}"
        return None

    def zone(self, *, source: bool, target: bool) -> str | None:
        """Returns the first time zone; of several, that after "from" (`source`) or after "to" (`target`)."""
        if target:
            after_to = [each.zone for each in self._zones if each.before in ("to", "into")]
            return next(iter(after_to + [each.zone for each in self._zones[:0:-1]]), None)
        if source:
            after_from = [each.zone for each in self._zones if each.before == "from"]
            others = [each.zone for each in self._zones if each.before not in ("to", "into")]
            return next(iter(after_from + others), None)
        return self._zones[0].zone if self._zones else None

    def shaped(self, shape: str) -> str | None:
        """Returns the first value of a shape: a format of JSON Schema, or a name like `path` and `city`."""
        match = _SHAPES[shape].search(self.text) if shape in _SHAPES else None
        return match[0] if match else None

    def labelled(self, name: str) -> str | None:
        """Returns the value after the argument's name: `city Paris`, `city: Paris`, `city=Paris`."""
        label = re.escape(name).replace("_", "[ _]")
        match = re.search(
            rf"\b{label}\b(?:\s*[:=]\s*|\s+(?:is\s+)?)[\"']?([\w./@+-]*\w)", self.text, re.IGNORECASE
        )
        return match[1] if match and name else None

    def subject(self) -> str | None:
        """Returns a guess at the message's subject: its last proper name, or the end of its last phrase."""
        names: list[str] = [name for name in _NAME.findall(self.text) if name != "I"]
        if names:
            return names[-1]
        phrase = _PHRASE.search(self.text)
        return phrase[1] if phrase else None

    def has_word(self, word: str) -> bool:
        spoken = re.escape(word.replace("_", " "))
        return bool(word) and re.search(rf"(?<!\w){spoken}(?!\w)", self.text, re.IGNORECASE) is not None
