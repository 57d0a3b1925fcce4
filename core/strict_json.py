"""JSON, read strictly: what two parsers could read differently is refused."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from core.errors import InvalidRequest

_JSON_TYPE = re.compile(r"\s*application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*", re.IGNORECASE)
_DEEPEST = 64
_MOST_MEMBERS = 150_000
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def require_json_type(content_type: str, content_encoding: str) -> None:
    """Raises InvalidRequest (415) for anything but plain `application/json` in UTF-8."""
    if not _JSON_TYPE.fullmatch(content_type):
        message = "Send the body as 'Content-Type: application/json', in UTF-8."
        raise InvalidRequest(message, code="unsupported_media_type", status_code=415)
    if content_encoding.lower() not in {"", "identity"}:
        message = "Send the body without a Content-Encoding."
        raise InvalidRequest(message, code="unsupported_content_encoding", status_code=415)


def loads(data: bytes) -> dict[str, Any]:
    """A JSON object without duplicate keys, NUL, lone surrogates or NaN, and of bounded depth and size.

    Raises InvalidRequest.
    """
    structure = _structure(data)
    if structure.count(b",") + structure.count(b":") > _MOST_MEMBERS:
        raise _invalid("The JSON of the request body has too many members.")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The request body must be a JSON object.", code="invalid_type")
    _require_shallow(structure)
    _require_unique_keys(data, structure, value)
    _require_no_nul(data, value)
    return value


def _structure(data: bytes) -> bytes:
    """JSON without its strings: `{:[,{:}]}`. Only the C of bytes: bodies hold megabytes of base64."""
    return b"".join(_without_escapes(data).split(b'"')[::2])


def _without_escapes(data: bytes) -> bytes:
    """JSON without escaped backslashes and quotes: a quote that is left begins or ends a string."""
    return data.replace(rb"\\", b"").replace(rb"\"", b"")


def _require_shallow(structure: bytes) -> None:
    brackets = structure.translate(_AS_BRACES, _NOT_BRACKETS)
    for _ in range(_DEEPEST):  # each pass takes the innermost level away
        brackets = brackets.replace(b"{}", b"")
    if brackets:
        raise _invalid(f"The JSON of the request body is nested deeper than {_DEEPEST} levels.")


def _require_unique_keys(data: bytes, structure: bytes, value: dict[str, Any]) -> None:
    """A duplicate key is one that is lost in parsing: then there are fewer colons than before."""
    if _structure(orjson.dumps(value)).count(b":") != structure.count(b":"):
        key = _first_duplicate(data)
        raise _invalid(f"The JSON of the request body has the key {key!r} twice in one object.", param=key)


def _first_duplicate(data: bytes) -> str | None:
    duplicates: list[str] = []

    def check(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(key for key, _ in pairs)
        duplicates.extend(key for key, count in counts.items() if count > 1)

    json.loads(data, object_pairs_hook=check)
    return duplicates[0] if duplicates else None


def _require_no_nul(data: bytes, value: dict[str, Any]) -> None:
    if rb"\u0000" in data and (place := next(_nuls(value, ""), None)) is not None:
        raise _invalid("Text must not hold the NUL character.", param=place.replace("\0", "\\u0000") or None)


def _nuls(value: Any, place: str) -> Iterator[str]:
    """The paths of texts with a NUL."""
    match value:
        case str() if "\0" in value:
            yield place
        case list():
            for index, item in enumerate(value):
                yield from _nuls(item, f"{place}[{index}]")
        case dict():
            for key, item in value.items():
                inner = f"{place}.{key}" if place else key
                yield from _nuls(key, inner)
                yield from _nuls(item, inner)


def _invalid(message: str, *, param: str | None = None) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_json")
