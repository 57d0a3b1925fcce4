"""The keywords of JSON Schema (draft 2020-12): what their values are, and what older drafts had instead."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

Schema = dict[str, Any]
TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")
_OTHER_NAMES = {
    "str": "string", "text": "string", "char": "string", "date": "string", "datetime": "string",
    "uuid": "string", "file": "string", "int": "integer", "int32": "integer", "int64": "integer",
    "long": "integer", "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
    "dict": "object", "map": "object", "record": "object", "list": "array", "tuple": "array", "set": "array",
    "none": "null", "nil": "null",
}  # fmt: skip
_NOISE = {
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor",
    "$recursiveRef",
    "$ref", "$schema", "$vocabulary", "additionalItems", "definitions", "dependencies", "dependentRequired",
    "dependentSchemas", "disallow", "divisibleBy", "exclusiveMaximum", "exclusiveMinimum", "extends", "id",
    "items", "maximum", "minimum", "nullable", "patternProperties", "prefixItems", "properties",
    "propertyNames", "required", "type", "unevaluatedItems", "unevaluatedProperties",
}  # fmt: skip
"""Keywords that are read elsewhere, that only validators need, and those of draft 3."""
_TEXTS = ("description", "title", "format", "pattern", "contentEncoding")
_COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties",
    "maxProperties",
)  # fmt: skip
SCHEMAS = {"additionalProperties", "not", "contains", "if", "then", "else"}
SCHEMA_LISTS = {"anyOf", "oneOf", "allOf"}


def is_noise(keyword: str) -> bool:
    return keyword in _NOISE or keyword.startswith("x-")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


CONSTRAINTS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "not", "contains", "if", "then", "else"), lambda _: False),
    **dict.fromkeys(_TEXTS, _is_text),
    "additionalProperties": _is_flag,
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), _is_count
    ),
    **dict.fromkeys(("minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _is_flag),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "enum": lambda value: isinstance(value, list) and bool(value),
    "examples": lambda value: isinstance(value, list),
}


def known_types(given: Any, *, is_nullable: bool = False) -> list[str]:
    """Returns the types that are meant; none for what is no type, such as `any`."""
    listed = given if isinstance(given, list) else [given]
    lowered = [each.lower() for each in listed if isinstance(each, str)]
    types = [_OTHER_NAMES.get(each, each) for each in lowered]
    if is_nullable:  # OpenAPI 3.0
        types.append("null")
    known = list(dict.fromkeys(each for each in types if each in TYPES))
    return known if known != ["null"] or not is_nullable else []


def bounds(schema: Mapping[str, Any]) -> Schema:
    """Returns the bounds of numbers. In draft 4, `exclusiveMinimum` is a flag beside `minimum`."""
    found: Schema = {}
    for inclusive, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        bound, other = schema.get(inclusive), schema.get(exclusive)
        if _is_number(bound):
            found[exclusive if other is True else inclusive] = bound
        if _is_number(other):
            found[exclusive] = other
    return found


_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def kind_of(value: Any) -> str:
    """Returns the type of a value of JSON."""
    return _KINDS[type(value)]


def values(schema: Schema) -> Schema:
    """Returns a schema whose listed values are of one type, or of several that are told apart."""
    rest = {name: value for name, value in schema.items() if name not in {"const", "enum", "type"}}
    if "const" in schema:  # Gemini knows `enum` alone
        return {**rest, **_listed([schema["const"]], schema.get("type"))}
    if "enum" not in schema:
        return schema
    distinct = list({orjson.dumps(value): value for value in schema["enum"]}.values())
    return {**_listed(distinct, schema.get("type")), **rest}


def _listed(listed: list[Any], given: Any) -> Schema:
    types = [given] if isinstance(given, str) else given or TYPES
    fitting = [value for value in listed if _fits(kind_of(value), types)]
    if not fitting:  # its type is wrong, for nothing would fit
        fitting, given = listed, None
    if isinstance(given, str):
        return {"type": given, "enum": fitting}
    kinds = list(dict.fromkeys(map(kind_of, fitting)))
    if len(kinds) == 1 or (len(kinds) == 2 and "null" in kinds):
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": fitting}
    return {"anyOf": [{"type": kind, "enum": [v for v in fitting if kind_of(v) == kind]} for kind in kinds]}


def _fits(kind: str, types: Any) -> bool:
    return kind in types or (kind == "integer" and "number" in types)
