"""OpenAI tool definitions of functions, whole or lean, and the tokens that they take."""

from collections.abc import Mapping
from typing import Any

import orjson

from assistants.catalogue.tool_schemas import Offered
from core.cut_text import cut

Definition = dict[str, Any]

_ASCII = bytes(range(128))
_ASCII_A_TOKEN, _OTHERS_A_TOKEN = 3, 2  # bytes
_LEAN_DESCRIPTION = 200
_EXPLAINING = {"description", "title", "examples", "example", "default", "$comment", "$schema"}
_OF_SCHEMAS = {"properties", "$defs", "definitions", "patternProperties"}
"""Their members are named by the server: a parameter called `title` must not be taken for a keyword."""


def whole(name: str, description: str, offered: Offered) -> Definition:
    """Returns the definition with everything that the server says."""
    described = {"name": name, "description": description, "parameters": offered.schema}
    return {"type": "function", "function": described}


def lean(definition: Definition) -> Definition:
    """Returns a definition with what a call needs, without what only explains: for a budget that is short."""
    function = definition["function"]
    described = {
        "name": function["name"],
        "description": cut(function["description"], _LEAN_DESCRIPTION),
        "parameters": _unexplained(function["parameters"]),
    }
    return {"type": "function", "function": described}


def tokens(definition: Mapping[str, Any]) -> int:
    """Returns an upper bound of the tokens that a model counts.

    It is one for three bytes of ASCII, and one for two other bytes. Every model has a tokenizer of its own.
    """
    raw = orjson.dumps(definition)
    # Both parts are rounded up: -(-a // b) is the ceiling of a / b.
    others = len(raw.translate(None, _ASCII))
    return -(-(len(raw) - others) // _ASCII_A_TOKEN) - (-others // _OTHERS_A_TOKEN)


def _unexplained(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_unexplained(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _named(value) if name in _OF_SCHEMAS else _unexplained(value)
        for name, value in schema.items()
        if name not in _EXPLAINING
    }


def _named(schemas: Any) -> Any:
    if not isinstance(schemas, dict):
        return schemas
    return {name: _unexplained(schema) for name, schema in schemas.items()}
