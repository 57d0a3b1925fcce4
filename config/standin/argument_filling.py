"""The arguments of a tool, filled by its JSON Schema from the values that a message states."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from config.standin.stated_values import StatedValues
from config.standin.time_zones import mentions

Schema = dict[str, Any]

_DEEPEST = 5
"""Levels of a schema, and steps of references: a schema may refer to itself without end."""
_FREE_TEXT = ("text", "message", "query", "question", "prompt", "input", "content", "search", "thought", "q")
_SOURCE, _TARGET = ("source", "from", "origin"), ("target", "to", "destination")


class Filled(NamedTuple):
    arguments: dict[str, Any]
    found: int
    """How many of the arguments the message states."""
    guessed: int
    """How many are guesses."""


class Value(NamedTuple):
    value: Any
    sure: bool = True


def fill(schema: Schema, message: str, *, invent: bool = False) -> Filled | None:
    """Returns the arguments, or None where the message lacks a required one.

    `invent` makes one up instead: the message itself, 0, the first option, ...
    """
    return _Filler(schema, StatedValues.of(message), invent).fill(schema)


def one_for_each_zone(schema: Schema, filled: Filled, message: str) -> Iterator[dict[str, Any]]:
    """Yields the arguments, once for each time zone in the message if the tool takes a single one."""
    zoned = [name for name, each in _properties(schema).items() if _is_zone(name, each)]
    zones = [mention.zone for mention in mentions(message)]
    if len(zoned) != 1 or len(zones) < 2:
        yield filled.arguments
        return
    for zone in zones:
        yield filled.arguments | {zoned[0]: zone}


class _Filler:
    def __init__(self, root: Schema, stated: StatedValues, invent: bool) -> None:
        self.root = root
        self.stated = stated
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
        """Returns the value. For an optional argument a guess is worse than none."""
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
        return values.get(_type(schema), self.stated.text)

    def _plain(self, schema: Schema) -> Schema:
        """Follows local references, and chooses the first alternative that is not null."""
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
                return _maybe(self.stated.number(name, whole=kind == "integer"))
            case "boolean":
                return Value(True) if self.stated.has_word(name) else Value(False, sure=False)
            case "array":
                return self._list(schema, depth)
            case "object":
                return self._nested(schema, depth)
            case _:
                return self._string(name, schema)

    def _option(self, options: list[Any]) -> Value | None:
        if len(options) == 1:
            return Value(options[0], sure=False)
        return _maybe(next((each for each in options if self.stated.has_word(str(each))), None))

    def _list(self, schema: Schema, depth: int) -> Value | None:
        """Returns as many values as the message states."""
        items = self._plain(schema.get("items") or {})
        values: list[Any] = []
        left = -1
        # A value that uses nothing up would be found for ever: there is only one of it.
        while left != self.stated.left:
            left = self.stated.left
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
            return _maybe(self.stated.clock())
        shape = schema.get("format") or name.lower()
        labelled = self.stated.labelled(name) if f"{name}=" in self.stated.text else None
        stated = labelled or self.stated.shaped(shape) or self.stated.quoted() or self.stated.of_kind(name)
        stated = stated or self.stated.labelled(name)
        if stated is None and name.lower() in _FREE_TEXT:
            return Value(self.stated.text, sure=False)
        if stated is None and (subject := self.stated.subject()) is not None:
            return Value(subject, sure=False)
        return _maybe(stated)

    def _zone(self, name: str) -> Value:
        """Returns the zone that the message names, or UTC as a guess."""
        zone = self.stated.zone(
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
    text = f"{name} {schema.get('description', '')}".lower()
    return any(word in text for word in ("timezone", "time_zone", "time zone", "iana"))


def _is_clock(name: str, schema: Schema) -> bool:
    return name.lower() == "time" or "hh:mm" in str(schema.get("description", "")).lower()
