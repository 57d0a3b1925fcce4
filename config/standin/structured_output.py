"""Structured output: answers in JSON, where a request's `response_format` asks for them."""

import json
from collections.abc import Iterator
from typing import Any

from config.standin import argument_filling
from config.standin.stated_values import StatedValues


def answer(response_format: Any, text: str) -> str | None:
    """Returns the JSON, or None where any text will do.

    It is filled from `text`; an object without a schema has the keys that `text` quotes.
    """
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_schema":
        schema = response_format["json_schema"].get("schema") or {}
        filled = argument_filling.fill(schema, text, invent=True)
        return _dumps(filled.arguments if filled else {})
    if kind == "json_object":
        return _dumps(dict.fromkeys(list(_quoted(text)) or ["answer"], text))
    return None


def _quoted(text: str) -> Iterator[str]:
    values = StatedValues.of(text)
    while (key := values.quoted()) is not None:
        yield key


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
