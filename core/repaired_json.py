"""JSON and text of others, repaired: what is no Unicode character, or is NUL, becomes U+FFFD.

Language models and tools emit surrogate halves, bytes that are no UTF-8, and NUL. None of them can be sent
on: JSON (RFC 8259, section 8.1) is UTF-8, and PostgreSQL stores no NUL.
"""

import json
import math
from typing import Any, NoReturn

import orjson

_REPLACEMENT = "\ufffd"
_ESCAPED_NUL = rb"\u0000"
_LEAST, _MOST = -(2**63), 2**64 - 1
_MOST_DIGITS = 20


def loads(data: bytes) -> Any:
    """Returns the value, without NUL; halves of surrogate pairs are still in it, for a caller to join.

    Raises ValueError for what is no JSON.
    """
    try:
        return _loads(data)
    except RecursionError as error:
        raise ValueError("The JSON is nested too deeply.") from error


def _loads(data: bytes) -> Any:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        # The parser of the standard library takes lone surrogates, and control characters unless strict.
        text = data.decode(errors="replace")
        return _mapped(json.loads(text, strict=False, parse_constant=_refuse), _without_nul)
    return _mapped(value, _without_nul) if _ESCAPED_NUL in data else value


def repaired(value: Any) -> Any:
    """Returns a value of JSON with all of its texts repaired, keys included, and numbers that can be sent."""
    try:
        # Nearly every value is in order, and to serialize it is the cheapest way to see that.
        is_sound = _ESCAPED_NUL not in orjson.dumps(value)
    except orjson.JSONEncodeError:
        is_sound = False
    return value if is_sound else _mapped(value, repaired_text)


def repaired_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # By way of UTF-16, in which two halves beside each other are the character that they stand for.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _without_nul(text)


def repaired_source(text: str) -> str:
    """Returns JSON in which all texts are repaired; what is no JSON is repaired as one text."""
    text = repaired_text(text)
    if "\\u" not in text:
        return text
    data = text.encode()
    try:
        if _ESCAPED_NUL not in data and orjson.loads(data) is not None:
            return text
    except orjson.JSONDecodeError:
        pass  # a lone surrogate, perhaps
    try:
        return orjson.dumps(repaired(loads(data))).decode()
    except ValueError:
        return text


class StoredJson(json.JSONDecoder):
    """Reads JSON of PostgreSQL, which writes a number such as 1e300 as an integer of three hundred digits.

    As the decoder of a JSONField it returns numbers that orjson can write: see `_number`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_int=_whole, **options)


class SurrogateJoiner:
    """Repairs a text that comes in parts: the first half of a pair waits for the part with the second one."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, part: str) -> str:
        """Returns what of the text is certain, which may be nothing."""
        text = self._half + part
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return repaired_text(text[:-1] if self._half else text)

    def end(self) -> str:
        """Returns what is left: a half whose other one never came."""
        half, self._half = self._half, ""
        return repaired_text(half)


def _mapped(value: Any, change: Any) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(item, change) for item in value]
        case dict():
            return {change(key): _mapped(item, change) for key, item in value.items()}
        case int():
            return _number(value)
        case _:
            return value


def _without_nul(text: str) -> str:
    return text.replace("\0", _REPLACEMENT)


def _number(number: int) -> int | float | None:
    """Returns a number that orjson can write: it reads one beyond 64 bits as a float, too."""
    if _LEAST <= number <= _MOST:
        return number
    try:
        return float(number)
    except OverflowError:
        return None


def _whole(digits: str) -> int | float | None:
    # Not by int(): it refuses thousands of digits. No number of 64 bits has more than 20.
    if len(digits) <= _MOST_DIGITS:
        return _number(int(digits))
    number = float(digits)
    return None if math.isinf(number) else number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON.")
