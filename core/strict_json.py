"""Request bodies as JSON that no two parsers read differently (docs/decisions/0016-strict-json.md)."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from core.errors import InvalidRequest
from core.message import Message

_JSON_TYPE = re.compile(r"\s*application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*", re.IGNORECASE)
_MOST_LEVELS = 64
_MOST_MEMBERS = 150_000
_MOST_CONTAINERS = 20_000
_PARSED_AT_ONCE = 512 * 1024
"""Bytes. A shorter body is parsed in milliseconds whatever it holds, and its members are counted then."""
_CONTAINERS = (dict, list)


def require_json_type(content_type: str, content_encoding: str) -> None:
    """Raises InvalidRequest (415) for anything but plain `application/json` in UTF-8."""
    if not _JSON_TYPE.fullmatch(content_type):
        message = "Send the body as 'Content-Type: application/json', in UTF-8."
        raise InvalidRequest(message, code="unsupported_media_type", status_code=415)
    if content_encoding.lower() not in {"", "identity"}:
        message = "Send the body without a Content-Encoding."
        raise InvalidRequest(message, code="unsupported_content_encoding", status_code=415)


def loads(data: bytes, *, times: int = 1) -> dict[str, Any]:
    """Returns a JSON object without duplicate keys, NUL, lone surrogates or NaN, of bounded depth and size.

    `times`: how many times as many members it may have as a request, for files that a command reads.
    Raises InvalidRequest; its `param` is the path of the text or the key at fault.
    """
    value = _value(data, times)
    if not isinstance(value, dict):
        raise InvalidRequest(Message("The request body must be a JSON object."), code="invalid_type")
    _require_plain(data, value, times)
    return value


def loads_list(data: bytes, *, times: int = 1) -> list[Any]:
    """As `loads`, for a JSON array."""
    value = _value(data, times)
    if not isinstance(value, list):
        raise InvalidRequest(Message("The request body must be a JSON array."), code="invalid_type")
    _require_plain(data, value, times)
    return value


def _value(data: bytes, times: int) -> Any:
    if len(data) > _PARSED_AT_ONCE:
        _require_few_members(data, times)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The request body is not valid JSON: {error}") from None


def _require_plain(data: bytes, value: dict[str, Any] | list[Any], times: int) -> None:
    _require_bounded(value, times)
    _require_unique_keys(data, value)
    _require_no_nul(data, value)


def are_large(texts: Iterable[str]) -> bool:
    """Tells whether JSON texts within a body have, all together, more members than a body may have itself."""
    encoded = [text.encode() for text in texts]
    return _is_large(encoded) and _is_large(map(_without_texts, encoded))


def _require_few_members(data: bytes, times: int) -> None:
    """A body of nothing but brackets and commas would take seconds to parse, and to work on."""
    # Texts hold these characters, too. Only a body that has many is read without its texts, which costs more.
    if _is_large([data], times) and _is_large([_without_texts(data)], times):
        raise _too_many_members()


def _is_large(texts: Iterable[bytes], times: int = 1) -> bool:
    members = containers = 0
    for text in texts:
        members += text.count(b",") + text.count(b":")
        # Objects and lists cost most, and may be nested without a comma.
        containers += text.count(b"{") + text.count(b"[")
    return members > times * _MOST_MEMBERS or containers > times * _MOST_CONTAINERS


def _without_texts(data: bytes) -> bytes:
    # Only the C of bytes, no loop: a body may hold megabytes of base64. Once the escaped backslashes and
    # quotes are gone, each quote that is left begins or ends a text.
    return b"".join(data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _require_bounded(value: dict[str, Any] | list[Any], times: int) -> None:
    """Python's recursion, in the libraries that read the value later, must not fail, nor take seconds."""
    members = containers = 0
    level: list[Any] = [value]
    for _ in range(_MOST_LEVELS):
        containers += len(level)
        # As in the text, where an object's members have a comma and a colon each.
        members += sum(2 * len(each) if isinstance(each, dict) else len(each) for each in level)
        if members > times * _MOST_MEMBERS or containers > times * _MOST_CONTAINERS:
            raise _too_many_members()
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, _CONTAINERS)
        ]
        if not level:
            return
    message = Message("The JSON is nested deeper than %(most)s levels.", most=_MOST_LEVELS)
    raise _invalid(message)


def _require_unique_keys(data: bytes, value: dict[str, Any] | list[Any]) -> None:
    # orjson returns the last of two equal keys and reports nothing. A value has each key once: where it
    # serializes to the body itself, as of most clients, so has the body.
    if orjson.dumps(value) != data:
        _PAIRS.decode(data.decode())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        key = next(key for key, count in counts.items() if count > 1)
        message = Message("The JSON has the key %(key)s twice in one object.", key=repr(key))
        raise _invalid(message, param=key)
    return members


_PAIRS = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str)
"""The standard library's parser shows an object's pairs to a hook before they become a dictionary."""


def _require_no_nul(data: bytes, value: dict[str, Any] | list[Any]) -> None:
    """PostgreSQL stores no NUL in a text: writing it would fail, long after the request was accepted."""
    # One character is found fifty times as quickly as six, and texts of one line hold no escape.
    if b"\\" in data and rb"\u0000" in data and (path := next(_nuls(value, ""), None)) is not None:
        message = Message("Text must not hold the NUL character.")
        raise _invalid(message, param=path.replace("\0", "\\u0000") or None)


def _too_many_members() -> InvalidRequest:
    return _invalid(Message("The JSON has too many members."))


def _nuls(value: Any, path: str) -> Iterator[str]:
    """Yields the paths of texts with a NUL, as `messages[0].content`."""
    match value:
        case str() if "\0" in value:
            yield path
        case list():
            for index, item in enumerate(value):
                yield from _nuls(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                inner = f"{path}.{key}" if path else key
                yield from _nuls(key, inner)
                yield from _nuls(item, inner)


def _invalid(message: str, *, param: str | None = None) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_json")
