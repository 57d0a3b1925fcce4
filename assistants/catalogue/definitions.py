"""A function as LLM services are told of it: an OpenAI tool definition."""

from collections.abc import Mapping
from typing import Any

import orjson

Definition = dict[str, Any]

_LAST_ASCII = 127
_ASCII_A_TOKEN, _OTHERS_A_TOKEN = 3, 2  # bytes
_LEAN_DESCRIPTION = 200
_REFUSED_AT_THE_TOP = {"anyOf", "oneOf", "allOf", "not", "enum"}
_EXPLAINING = {"description", "title", "examples", "example", "default", "$comment", "$schema"}
_OF_SCHEMAS = {"properties", "$defs", "definitions", "patternProperties"}
"""What stands in these goes by names of the server's own."""


def whole(name: str, description: str, schema: Mapping[str, Any]) -> Definition:
    described = {"name": name, "description": description, "parameters": _object_schema(schema)}
    return {"type": "function", "function": described}


def lean(definition: Definition) -> Definition:
    """What is needed to call it, and little to understand it by: for where there is no room for the whole."""
    function = definition["function"]
    described = {
        "name": function["name"],
        "description": _cut(function["description"]),
        "parameters": _unexplained(function["parameters"]),
    }
    return {"type": "function", "function": described}


def tokens(definition: Mapping[str, Any]) -> int:
    """No fewer than a model counts: one for three bytes of ASCII JSON, one for two of any other script."""
    raw = orjson.dumps(definition)
    others = 0 if raw.isascii() else sum(byte > _LAST_ASCII for byte in raw)
    return -(-(len(raw) - others) // _ASCII_A_TOKEN) - (-others // _OTHERS_A_TOKEN)


def _object_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What LLM services insist on, whatever a server says: a refused schema costs the whole request."""
    if schema.get("type", "object") != "object":
        return {"type": "object", "properties": {}}
    kept = {name: value for name, value in schema.items() if name not in _REFUSED_AT_THE_TOP}
    return {**kept, "type": "object", "properties": schema.get("properties") or {}}


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


def _cut(text: str) -> str:
    return text if len(text) <= _LEAN_DESCRIPTION else f"{text[:_LEAN_DESCRIPTION]}..."
