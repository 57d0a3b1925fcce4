"""Alternatives at the top of a schema, which LLM services refuse, as one object with all their properties."""

from collections.abc import Iterable
from typing import Any

import orjson

Schema = dict[str, Any]
_AT_THE_TOP = {
    "allOf", "anyOf", "oneOf", "not", "enum", "const", "if", "then", "else", "type", "properties", "required",
    "items", "nullable",
}  # fmt: skip


def united(schema: Schema) -> Schema:
    """Returns a mended schema as an object without alternatives.

    Required is what the schema itself or one of `allOf` requires, and what all alternatives do.
    """
    if not _may_be_object(schema):
        return {"type": "object", "properties": {}}
    properties: Schema = dict(schema.get("properties", {}))
    required = dict.fromkeys(schema.get("required", ()))
    for part in map(united, schema.get("allOf", ())):
        for name, inner in part["properties"].items():
            properties[name] = {**inner, **properties.get(name, {})}
        required |= dict.fromkeys(part.get("required", ()))
    for keyword in ("anyOf", "oneOf"):
        required |= dict.fromkeys(_add_alternatives(properties, schema.get(keyword, ())))
    for keyword in [each for each in ("then", "else") if each in schema]:
        properties = united(schema[keyword])["properties"] | properties
    return _object(schema, properties, list(required))


def _object(schema: Schema, properties: Schema, required: list[str]) -> Schema:
    kept = {name: value for name, value in schema.items() if name not in _AT_THE_TOP}
    whole: Schema = {**kept, "type": "object", "properties": properties}
    return whole | ({"required": required} if required else {})


def _may_be_object(schema: Schema) -> bool:
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _add_alternatives(properties: Schema, schemas: Iterable[Schema]) -> Iterable[str]:
    """Adds the properties of alternatives, and returns what all of them require.

    A property that only some of them narrow stays as wide as it is.
    """
    alternatives = [united(each) for each in schemas if _may_be_object(each)]
    found: dict[str, list[Schema]] = {}
    for alternative in alternatives:
        for name, inner in alternative["properties"].items():
            found.setdefault(name, []).append(inner)
    for name, inners in found.items():
        if name not in properties or len(inners) == len(alternatives):
            properties[name] = {**properties.get(name, {}), **_either(inners)}
    demanded = [each.get("required", ()) for each in alternatives]
    return [name for name in found if all(name in each for each in demanded)]


def _either(schemas: Iterable[Schema]) -> Schema:
    """Returns a schema for what fits one of these."""
    distinct = list({orjson.dumps(each): each for each in schemas}.values())
    if len(distinct) == 1:
        return distinct[0]
    if all("enum" in each for each in distinct) and len({str(each.get("type")) for each in distinct}) == 1:
        values = [value for each in distinct for value in each["enum"]]
        return {**distinct[0], "enum": list({orjson.dumps(value): value for value in values}.values())}
    return {"anyOf": distinct}
