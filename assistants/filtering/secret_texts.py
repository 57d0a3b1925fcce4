"""Secrets in texts, found by their form and masked: API keys, tokens, private keys, card numbers.

The forms are those of gitleaks (patterns.json, see NOTICE), all of them bounded. A rule is compiled, and
looked for, where one of its keywords stands in the text: most texts cost one search for each keyword.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_PATTERNS = Path(__file__).with_name("patterns.json")
_KEY_BEGIN = re.compile(r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END[ A-Z0-9_-]{0,100}-----")
_CARD = re.compile(
    r"(?:(?<![\w.-])|(?<=\\[nrt]))(?:4|5[1-5]|2[2-7]|3[4-8]|6[0245])\d(?:[ -]?\d){10,17}(?![\w-]|\.\d)",
    re.ASCII,
)
_CARD_LENGTHS = {"2": (16,), "3": (14, 15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 17, 18, 19)}


class Rule(NamedTuple):
    """A kind of secret. `group` of its pattern is the secret; with less `entropy` it is a placeholder."""

    id: str
    pattern: str
    group: int
    keywords: tuple[str, ...]
    entropy: float


Span = tuple[int, int, str]
"""Where a secret begins and ends, and its kind."""


def mask_secrets(text: str) -> str:
    """Returns the text with `[masked: kind]` in the place of each secret."""
    return masked(text, rules_for(text))


def rules_for(text: str) -> list[Rule]:
    """Returns the rules of which a keyword stands in the text."""
    lowered = text.lower()
    return [rule for rule in _rules() if any(keyword in lowered for keyword in rule.keywords)]


def masked(text: str, rules: Sequence[Rule]) -> str:
    """Masks what these rules find, private keys and card numbers."""
    parts, end = [], 0
    for begin, stop, kind in sorted(_found(text, rules)):
        if stop <= end:
            continue
        parts += [text[end : max(begin, end)], f"[masked: {kind}]"]
        end = stop
    return "".join([*parts, text[end:]]) if parts else text


def _found(text: str, rules: Sequence[Rule]) -> Iterator[Span]:
    yield from _private_keys(text)
    for found in _CARD.finditer(text):
        if _is_card(re.sub("[ -]", "", found[0])):
            yield found.start(), found.end(), "card-number"
    for rule in rules:
        for found in _compiled(rule.pattern).finditer(text):
            if _entropy(found[rule.group]) >= rule.entropy:
                yield found.start(rule.group), found.end(rule.group), rule.id


def _private_keys(text: str) -> Iterator[Span]:
    """Yields each key up to its last line, or where that is missing, up to the end of the text."""
    end = 0
    while begin := _KEY_BEGIN.search(text, end):
        last = _KEY_END.search(text, begin.end())
        end = last.end() if last else len(text)
        yield begin.start(), end, "private-key"


def _is_card(digits: str) -> bool:
    """Whether it has the length and the check digit (ISO/IEC 7812, Luhn) of its issuers' cards."""
    if len(digits) not in _CARD_LENGTHS[digits[0]] or len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _entropy(text: str) -> float:
    """Returns Shannon's entropy in bits a character: low for `xxxxxxxx`, and for words."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


@cache
def _rules() -> list[Rule]:
    rows: list[dict[str, Any]] = orjson.loads(_PATTERNS.read_bytes())
    return [Rule(**{**row, "keywords": tuple(map(str.lower, row["keywords"]))}) for row in rows]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A word is one of ASCII, as for gitleaks: in Chinese a secret stands between letters without a space."""
    return re.compile(pattern, re.ASCII)
