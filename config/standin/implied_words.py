"""Words that a message implies: it asks for rain and the tool tells the weather."""

import re

from config.standin.stated_values import CURRENCY, EXPRESSION, FILE, LANGUAGE, SQL

_IMPLIED = [
    (
        r"\b(?:rain|snow|sunny|cloudy|windy|warm|cold|hot|temperatures?|degrees|umbrella|storm)\b",
        "weather forecast",
    ),
    (CURRENCY.pattern, "currency exchange convert"),
    (r"\b(?:remind me|to-?do|what do I have to do|on my list|my list)\b", "todo task reminder"),
    (r"\b(?:remind me to|add|put|note down|remember to)\b", "add create"),
    (r"\b(?:look up|google|find|search for|who is|tell me about)\b", "search web"),
    (LANGUAGE.pattern, "translate text language"),
    (FILE.pattern, "file read content"),
    (
        rf"{EXPRESSION.pattern}|\bsquare root\b|\d\s*%\s+of\s+\d|\b(?:plus|minus|times|divided by)\b",
        "calculate calculator math",
    ),
    (r"\b(?:commit(?:s|ted)?|changed? .*\brepo|who changed)\b", "git log commit"),
    (rf"{SQL.pattern}|\b(?:rows|records) (?:of|in)\b|\bin the database\b", "sql query database"),
]
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), frozenset(words.split())) for pattern, words in _IMPLIED]


def implied(message: str) -> set[str]:
    """Returns the words of tools that a message is likely to ask for without naming them."""
    return {word for pattern, words in _PATTERNS if pattern.search(message) for word in words}
