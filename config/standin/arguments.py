"""A tool's arguments, filled from its JSON schema and from what a message says."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from config.standin.pieces import Pieces
from config.standin.places import places

Schema = dict[str, Any]

_DEEPEST = 5
_FREE_TEXT = ("text", "message", "query", "question", "prompt", "input", "content", "search", "thought", "q")
_SOURCE, _TARGET = ("source", "from", "origin"), ("target", "to", "destination")


class Filled(NamedTuple):
    arguments: dict[str, Any]
    found: int
    """How many of the arguments the message states."""
    guessed: int
    """How many stand on a guess."""


class Value(NamedTuple):
    value: Any
    sure: bool = True


def fill(schema: Schema, said: str, *, invent: bool = False) -> Filled | None:
    """None where `said` does not tell a required argument. `invent` puts one there: `said` itself, 0, ..."""
    return _Filler(schema, Pieces.of(said), invent).fill(schema)


def spread(schema: Schema, filled: Filled, said: str) -> Iterator[dict[str, Any]]:
    """The arguments once; for a tool that takes one time zone, once for each zone that `said` names."""
    zoned = [name for name, each in _properties(schema).items() if _is_zone(name, each)]
    zones = [place.zone for place in places(said)]
    if len(zoned) != 1 or len(zones) < 2:
        yield filled.arguments
        return
    for zone in zones:
        yield filled.arguments | {zoned[0]: zone}


class _Filler:
    def __init__(self, root: Schema, pieces: Pieces, invent: bool) -> None:
        self.root = root
        self.pieces = pieces
        self.invent = invent

    def fill(self, schema: Schema, depth: int = 0) -> Filled | None:
        required = schema.get("required") or []
        properties = _properties(schema)
        values: dict[str, Value] = {}
        for name in sorted(properties, key=lambda each: each not in required):
            value = self.value(name, properties[name], name in required, depth)
            if value is not None:
                values[name] = value
            elif name in required:
                return None
        sure = sum(value.sure for value in values.values())
        arguments = {name: value.value for name, value in values.items()}
        return Filled(arguments, sure, len(values) - sure)

    def value(self, name: str, schema: Schema, required: bool, depth: int) -> Value | None:
        """Of an optional argument only what is sure."""
        schema = self._plain(schema)
        found = self._found(name, schema, depth) if depth < _DEEPEST else None
        if found is not None and (found.sure or required):
            return found
        if not required:
            return None
        if "default" in schema:
            return Value(copy.deepcopy(schema["default"]), sure=False)
        return Value(self._invented(schema), sure=False) if self.invent else None

    def _invented(self, schema: Schema) -> Any:
        if options := _options(schema):
            return options[0]
        values = {"integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
        return values.get(_type(schema), self.pieces.text)

    def _plain(self, schema: Schema) -> Schema:
        """Follows local references and takes the first alternative that is not null."""
        for _ in range(_DEEPEST):
            options = schema.get("anyOf") or schema.get("oneOf") or []
            if isinstance(reference := schema.get("$ref"), str):
                schema = self._referred(reference)
            elif options:
                schema = next((each for each in options if each.get("type") != "null"), {})
            else:
                break
        return schema

    def _referred(self, reference: str) -> Schema:
        target: Any = self.root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step) if isinstance(target, dict) else None
        return target if isinstance(target, dict) else {}

    def _found(self, name: str, schema: Schema, depth: int) -> Value | None:
        if options := _options(schema):
            return self._option(options)
        match _type(schema):
            case "integer" | "number" as kind:
                return _maybe(self.pieces.number(name, whole=kind == "integer"))
            case "boolean":
                return Value(True) if self.pieces.has_word(name) else Value(False, sure=False)
            case "array":
                return self._list(schema, depth)
            case "object":
                return self._nested(schema, depth)
            case _:
                return self._string(name, schema)

    def _option(self, options: list[Any]) -> Value | None:
        if len(options) == 1:
            return Value(options[0], sure=False)
        return _maybe(next((each for each in options if self.pieces.has_word(str(each))), None))

    def _list(self, schema: Schema, depth: int) -> Value | None:
        """As many values as the message has: each uses up a number or a quoted text, or is the only one."""
        items = self._plain(schema.get("items") or {})
        values: list[Any] = []
        left = -1
        while left != self.pieces.left:
            left = self.pieces.left
            found = self._found("", items, depth + 1)
            if found is None or not found.sure:
                break
            values.append(found.value)
        return Value(values) if values else None

    def _nested(self, schema: Schema, depth: int) -> Value | None:
        filled = self.fill(schema, depth + 1)
        return None if filled is None else Value(filled.arguments, sure=filled.found > 0)

    def _string(self, name: str, schema: Schema) -> Value | None:
        if _is_zone(name, schema):
            return self._zone(name)
        if _is_clock(name, schema):
            return _maybe(self.pieces.clock())
        shape = schema.get("format") or name.lower()
        stated = self.pieces.shaped(shape) or self.pieces.labelled(name) or self.pieces.quoted()
        if stated is None and name.lower() in _FREE_TEXT:
            return Value(self.pieces.text, sure=False)
        return _maybe(stated)

    def _zone(self, name: str) -> Value:
        """UTC where the message names none."""
        zone = self.pieces.zone(
            source=any(word in name.lower() for word in _SOURCE),
            target=any(word in name.lower().split("_") for word in _TARGET),
        )
        return Value(zone or "UTC", sure=zone is not None)


def _maybe(value: Any) -> Value | None:
    return None if value is None else Value(value)


def _properties(schema: Schema) -> dict[str, Schema]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: each if isinstance(each, dict) else {} for name, each in properties.items()}


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    return kind if isinstance(kind, str) else "object" if "properties" in schema else "string"


def _options(schema: Schema) -> list[Any]:
    options = [schema["const"]] if "const" in schema else schema.get("enum")
    return options if isinstance(options, list) else []


def _is_zone(name: str, schema: Schema) -> bool:
    told = f"{name} {schema.get('description', '')}".lower()
    return any(word in told for word in ("timezone", "time_zone", "time zone", "iana"))


def _is_clock(name: str, schema: Schema) -> bool:
    return name.lower() == "time" or "hh:mm" in str(schema.get("description", "")).lower()
