"""Schemas for services that know one type a schema, and values of text alone, as Gemini does."""

from typing import Any

import orjson

Schema = dict[str, Any]
_EXPLAINING = {"description", "title", "default", "examples"}


def plain(schema: Any) -> Any:
    """Returns an offered schema, in which several types are alternatives, and listed values are texts.

    A text instead of a number comes back as the number: see `tools.arguments`.
    """
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    mapped = {name: _inner(name, value) for name, value in schema.items()}
    if isinstance(mapped.get("type"), list):
        return _alternatives(mapped)
    if "enum" in mapped and mapped.get("type") in {"integer", "number", "boolean"}:
        texts = [orjson.dumps(value).decode() for value in mapped["enum"]]
        return {**mapped, "type": "string", "enum": texts}
    return mapped


def _inner(name: str, value: Any) -> Any:
    if name == "properties":
        return {each: plain(schema) for each, schema in value.items()}
    return plain(value) if name in {"items", "additionalProperties", "anyOf", "oneOf", "allOf"} else value


def _alternatives(schema: Schema) -> Schema:
    around = {name: value for name, value in schema.items() if name in _EXPLAINING}
    inside = {name: value for name, value in schema.items() if name not in {*_EXPLAINING, "type"}}
    kinds = [kind for kind in schema["type"] if kind != "null"]
    if "enum" in inside:
        inside["enum"] = [value for value in inside["enum"] if value is not None]
    found = [plain({"type": kind, **inside}) for kind in kinds]
    if "null" in schema["type"]:
        found.append({"type": "null"})
    return {**around, "anyOf": found}
