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
FILE = re.compile(r"(?<!\S)(?:~|\.{0,2})/[^\s\"'?,;]+|(?<![\w@/.])[\w-]+\.[a-z][a-z0-9]{0,4}\b(?![./@])")
EXPRESSION = re.compile(r"(?!\d{4}-\d\d)\(?-?\d[\d\s.()]*(?:[-+*/^][\d\s.()]*\d\)?)+")
SQL = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b.+\b(?:FROM|VALUES|SET)\b.*", re.DOTALL)
_CURRENCIES = {
    "dollar": "USD",
    "euro": "EUR",
    "pound": "GBP",
    "yen": "JPY",
    "franc": "CHF",
    "yuan": "CNY",
    "rupee": "INR",
}
CURRENCY = re.compile(
    r"\b(?:USD|EUR|GBP|JPY|CHF|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|(?:dollar|euro|pound|yen|franc|yuan|rupee)s?)\b",
    re.IGNORECASE,
)
LANGUAGE = re.compile(
    r"\b(?:into|in|to) (?:English|German|French|Spanish|Italian|Portuguese|Dutch|Polish|Russian|Chinese"
    r"|Japanese|Korean|Arabic|Turkish|Hindi|Greek|Swedish|Latin)\b"
)
_TASK = re.compile(
    r"\b(?:add|put|remind me to|remember to|note down) (?!up\b)(.+?)(?: (?:to|on|in) (?:my|the)\b.*)?[.!?]*$",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"\b(?:translate|say) (.+?) (?:in|into|to) [A-Z]\w+|\bwhat is (.+?) in [A-Z]\w+",
    re.IGNORECASE | re.DOTALL,
)
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

    def of_kind(self, name: str) -> str | None:
        """Returns the value that an argument of this name usually takes: a file, a sum, a currency."""
        name = name.lower()
        words = name.split("_")
        found = None
        if "currency" in words:
            found = self._currency(last=any(word in ("to", "target", "destination") for word in words))
        elif "path" in words or "file" in words or name in ("filename", "filepath"):
            found = _first(FILE, self.text)
        elif name in ("expression", "formula", "calculation"):
            found = _first(EXPRESSION, self.text)
        elif name in ("sql", "query", "statement"):
            found = _first(SQL, self.text)
        elif "language" in words and "source" not in words:
            found = (_first(LANGUAGE, self.text) or " ").split(" ")[-1] or None
        elif name in ("title", "task", "todo", "item", "note"):
            found = _first(_TASK, self.text)
        elif name == "text" and LANGUAGE.search(self.text):
            found = _first(_FOREIGN, self.text)
        return found

    def _currency(self, *, last: bool) -> str | None:
        codes: list[str] = [
            _CURRENCIES.get(each.lower().rstrip("s"), each.upper()) for each in CURRENCY.findall(self.text)
        ]
        if not codes or (last and len(codes) < 2):
            return None
        return codes[-1] if last else codes[0]

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


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    """Returns what the pattern's first group finds, or else the whole of it."""
    if (found := pattern.search(text)) is None:
        return None
    texts: list[str] = [each for each in (*found.groups(), found[0]) if each]
    return texts[0].strip()
