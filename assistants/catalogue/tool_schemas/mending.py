"""What LLM services refuse in a schema, mended: older drafts of JSON Schema, mistakes, references, noise.

Servers write their schemas by hand and by generators of all drafts, and nobody else validates them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from assistants.catalogue.tool_schemas.keywords import (
    CONSTRAINTS,
    SCHEMA_LISTS,
    SCHEMAS,
    bounds,
    is_noise,
    known_types,
    values,
)
from assistants.catalogue.tool_schemas.references import References

Schema = dict[str, Any]
MOST_LEVELS = 24
_OUTLINE = ("type", "description", "title")


def mended(schema: Mapping[str, Any], names: Mapping[str, str]) -> Schema:
    """Returns a schema without references. `names`: other names for some of its properties, by their own.

    A type that contains itself is written out twice, and once where that would be too long.
    """
    for repeats in (2, 1):
        references = References(schema, repeats)
        whole = _Mending(references, names).schema(schema)
        if not references.is_spent:
            break
    return whole


class _Mending:
    def __init__(self, references: References, names: Mapping[str, str]) -> None:
        self._references = references
        self._names = names

    def schema(self, given: Any, level: int = 0, path: tuple[str, ...] = ()) -> Schema:
        """`path`: the references that lead here."""
        if isinstance(given, str):  # {"name": "string"} is no schema, but it is plain what is meant
            given = {"type": given}
        if not isinstance(given, Mapping):
            return {}
        found, inner = self._references.resolved(given, path)
        if inner is None or level > MOST_LEVELS:
            found, inner = {name: found[name] for name in _OUTLINE if name in found}, path
        mended = self._keywords(found, level + 1, inner)
        self._object(mended, found, level + 1, inner)
        self._array(mended, found, level + 1, inner)
        mended |= bounds(found)
        return values(mended)

    def _keywords(self, found: Mapping[str, Any], level: int, path: tuple[str, ...]) -> Schema:
        """Keeps what is as it should be, and drops what is not."""
        mended: Schema = {}
        if types := known_types(found.get("type"), is_nullable=found.get("nullable") is True):
            mended["type"] = types[0] if len(types) == 1 else types
        for keyword, value in found.items():
            if keyword in SCHEMAS and isinstance(value, Mapping):
                mended[keyword] = self.schema(value, level, path)
            elif keyword in SCHEMA_LISTS and isinstance(value, list) and value:
                mended[keyword] = [self.schema(each, level, path) for each in value]
            elif not is_noise(keyword) and CONSTRAINTS.get(keyword, _any)(value):
                mended[keyword] = value
        return mended

    def _object(self, mended: Schema, found: Mapping[str, Any], level: int, path: tuple[str, ...]) -> None:
        patterns = _mapping(found.get("patternProperties"))
        if patterns and not isinstance(found.get("additionalProperties"), Mapping):
            mended["additionalProperties"] = self._either(patterns.values(), level, path)
        properties = _mapping(found.get("properties"))
        required = _required(found.get("required"), properties)
        # Gemini refuses what is required and not declared. What may not be there is not offered.
        declared = {**dict.fromkeys(required, True), **properties}
        named = {
            self._names.get(name, name): self.schema(each, level, path)
            for name, each in sorted(declared.items(), key=lambda item: item[0] not in properties)
            if each is not False
        }
        if named or "properties" in found:
            mended["properties"] = named
            mended.setdefault("type", "object")
        if names := [name for name in (self._names.get(own, own) for own in required) if name in named]:
            mended["required"] = names

    def _array(self, mended: Schema, found: Mapping[str, Any], level: int, path: tuple[str, ...]) -> None:
        items = found.get("items")
        tuples = [*_list(items), *_list(found.get("prefixItems"))]
        if branches := tuples or ([items] if isinstance(items, Mapping | str) else []):
            mended["items"] = self._either(branches, level, path)
            mended.setdefault("type", "array")
        kind = mended.get("type")
        if kind == "array" or (isinstance(kind, list) and "array" in kind):
            mended.setdefault("items", {})

    def _either(self, branches: Iterable[Any], level: int, path: tuple[str, ...]) -> Schema:
        written = [self.schema(each, level, path) for each in branches]
        distinct = list({orjson.dumps(each): each for each in written}.values())
        return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _any(_: Any) -> bool:
    return True


def _required(listed: Any, properties: Mapping[str, Any]) -> list[str]:
    names = [listed] if isinstance(listed, str) else _list(listed)
    # Draft 3 says in a property that it is required.
    flagged = [name for name, each in properties.items() if _mapping(each).get("required") is True]
    return list(dict.fromkeys(name for name in [*names, *flagged] if isinstance(name, str)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
