"""References within a schema, written out: `#`, `#/...` and `#anchor`. Nothing else is fetched."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MOST_MEMBERS = 3_000
"""How much may be written out. References that double themselves would fill the memory."""
_KEYWORDS = ("$ref", "$recursiveRef", "$dynamicRef")


class References:
    """The references of one schema. `repeats`: how often one of them is written out inside of itself."""

    def __init__(self, root: Mapping[str, Any], repeats: int) -> None:
        self._root = root
        self._repeats = repeats
        self._left = MOST_MEMBERS
        self._anchors: dict[str, Mapping[str, Any]] | None = None

    @property
    def is_spent(self) -> bool:
        return self._left < 0

    def resolved(
        self, schema: Mapping[str, Any], path: tuple[str, ...]
    ) -> tuple[Mapping[str, Any], tuple[str, ...] | None]:
        """Returns a schema without a reference of its own, and the path of references that leads there.

        The path is None where no more may be written out. What stands beside a reference holds, too.
        """
        if path:
            self._left -= len(schema)
        while (reference := _reference(schema)) is not None:
            rest = {name: value for name, value in schema.items() if name not in _KEYWORDS}
            target = self._target(reference)
            if path.count(reference) >= self._repeats or self._left < 0:
                return {**target, **rest}, None
            schema, path = {**target, **rest}, (*path, reference)
        return schema, path

    def _target(self, reference: str) -> Mapping[str, Any]:
        """Returns {}, which fits everything, for what is not there."""
        fragment = unquote(reference[1:]) if reference.startswith("#") else None
        if fragment == "":
            return self._root
        if fragment is not None and not fragment.startswith("/"):
            return self._by_anchor(fragment)
        found: Any = self._root if fragment is not None else None
        for escaped in (fragment or "").split("/")[1:]:
            found = _member(found, escaped.replace("~1", "/").replace("~0", "~"))
        return found if isinstance(found, Mapping) else {}

    def _by_anchor(self, name: str) -> Mapping[str, Any]:
        if self._anchors is None:
            self._anchors = dict(_anchors(self._root))
        return self._anchors.get(name, {})


def _member(found: Any, step: str) -> Any:
    if isinstance(found, list):
        return found[int(step)] if step.isdecimal() and int(step) < len(found) else None
    return found.get(step) if isinstance(found, Mapping) else None


def _reference(schema: Mapping[str, Any]) -> str | None:
    return next((schema[name] for name in _KEYWORDS if isinstance(schema.get(name), str)), None)


def _anchors(root: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    pending: list[Any] = [root]
    while pending:
        found = pending.pop()
        if isinstance(found, Mapping):
            for keyword, start in (("$anchor", 0), ("$dynamicAnchor", 0), ("$id", 1), ("id", 1)):
                name = found.get(keyword)
                if isinstance(name, str) and (not start or name.startswith("#")):
                    yield name[start:], found
        inner = found.values() if isinstance(found, Mapping) else found
        pending += [each for each in inner if isinstance(each, list | Mapping)]
