"""Answers in JSON, where a request's `response_format` asks for them."""

import json
from collections.abc import Iterator
from typing import Any

from config.standin import arguments
from config.standin.pieces import Pieces


def answer(form: Any, said: str) -> str | None:
    """None where `form` wants text. An object without a schema has the keys that `said` quotes."""
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_schema":
        filled = arguments.fill(form["json_schema"].get("schema") or {}, said, invent=True)
        return _dumps(filled.arguments if filled else {})
    if kind == "json_object":
        return _dumps(dict.fromkeys(list(_quoted(said)) or ["answer"], said))
    return None


def _quoted(said: str) -> Iterator[str]:
    pieces = Pieces.of(said)
    while (key := pieces.quoted()) is not None:
        yield key


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
