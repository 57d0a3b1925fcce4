"""What callers, models and tools said, as it is stored: not too long, and without NUL, which no row takes."""

from collections.abc import Mapping
from typing import Any

import orjson

LONGEST_BODY = 64 * 1024
"""Characters: the rest of a request, an answer or a result is cut off; longer arguments are not stored."""


def text(said: str) -> str:
    return said[:LONGEST_BODY].replace("\0", "\ufffd")


def arguments(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns None for arguments that are too long to be stored."""
    json = orjson.dumps(given)
    if len(json) > LONGEST_BODY:
        return None
    stored: dict[str, Any] = orjson.loads(json.replace(rb"\u0000", rb"\ufffd"))
    return stored
