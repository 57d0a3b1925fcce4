"""Definitions as servers send them: repaired where that is harmless, otherwise rejected one by one.

The SDK validates a listing as a whole: one broken definition would cost all tools of its server.
"""

from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import orjson
from mcp.types.methods import validate_server_result
from pydantic import ValidationError

from core.cut_text import cut
from core.repaired_json import repaired

NAME_LIMIT = 128
DESCRIPTION_LIMIT = 4 * 1024
URI_LIMIT = 2048  # bytes, because a B-tree index of PostgreSQL takes no longer key than about 2,700
CAPABILITY_LISTINGS = {
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
"""The methods that list capabilities other than tools: the key in the result, and what identifies one."""
EXTRA_LIMIT = 64 * 1024
"""Bytes of JSON of a definition's other fields: icons may be whole pictures, as data URLs."""
_TEXTS = ("title", "description")
_TOOL_FIELDS = {"name", "inputSchema", "outputSchema", "annotations", *_TEXTS}
_CAPABILITY_FIELDS = {
    "uri", "uriTemplate", "name", "title", "description", "mimeType", "size", "arguments", "annotations",
}  # fmt: skip
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def usable_tools(listing: Mapping[str, Any], version: str) -> tuple[list[dict[str, Any]], set[str]]:
    """Returns the usable tools of a `tools/list` result as JSON, and the names of the rejected ones."""
    tools: list[dict[str, Any]] = []
    rejected: set[str] = set()
    offered = listing.get("tools")
    of_listing = _Listing("tools/list", "tools", listing, version)
    for number, tool in enumerate(offered if isinstance(offered, list) else []):
        repaired = _repair(tool) if isinstance(tool, dict) else None
        usable = repaired and _valid(of_listing, repaired, _extra(tool))
        if usable:
            tools.append(usable)
        else:
            rejected.add(_name_of(tool, number))
    return tools, rejected


def usable_capabilities(method: str, listing: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Returns a listing of capabilities with its usable entries alone, each under its own identity."""
    key, identity = CAPABILITY_LISTINGS[method]
    usable: dict[str, dict[str, Any]] = {}
    offered = listing.get(key)
    of_listing = _Listing(method, key, listing, version)
    for entry in offered if isinstance(offered, list) else []:
        if not isinstance(entry, dict):
            continue
        known = {name: entry[name] for name in entry.keys() & _CAPABILITY_FIELDS}
        extra = _extra(entry, known=_CAPABILITY_FIELDS)
        valid = _valid(of_listing, known, extra)
        if valid and 0 < len(valid[identity].encode()) <= URI_LIMIT:
            # The first of two with the same identity wins: it is what a server would find first, too.
            usable.setdefault(valid[identity], valid)
    return {**listing, key: list(usable.values())}


def _name_of(tool: Any, number: int) -> str:
    """Returns a name for the warning about a rejected tool, which may have none."""
    name = tool.get("name") if isinstance(tool, dict) else None
    return name[:NAME_LIMIT] if isinstance(name, str) and name else f"number {number + 1}"


def _repair(tool: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the fields that we use, in the types of the specification; None if that is impossible."""
    name, schema = tool.get("name"), tool.get("inputSchema")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT or "\0" in name:
        return None
    # Servers without parameters send nothing or `true`, which is JSON Schema for "anything".
    if schema is None or schema is True:
        schema = {"type": "object"}
    if not isinstance(schema, dict) or not _is_of_objects(schema):
        return None
    repaired: dict[str, Any] = {"name": name, "inputSchema": {**schema, "type": "object"}}
    repaired |= {key: tool[key] for key in _TEXTS if isinstance(tool.get(key), str)}
    if "description" in repaired:
        repaired["description"] = cut(repaired["description"], DESCRIPTION_LIMIT)
    output = tool.get("outputSchema")
    if isinstance(output, dict) and output.get("type") == "object":
        repaired["outputSchema"] = output
    if isinstance(tool.get("annotations"), dict):
        repaired["annotations"] = _annotations(tool["annotations"])
    return repaired


def _is_of_objects(schema: Mapping[str, Any]) -> bool:
    """Some servers write ["object", "null"], or nothing."""
    kind = schema.get("type") or "object"
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _annotations(given: dict[str, Any]) -> dict[str, Any]:
    annotations = {hint: given[hint] for hint in _HINTS if isinstance(given.get(hint), bool)}
    return annotations | ({"title": given["title"]} if isinstance(given.get("title"), str) else {})


def _extra(definition: Mapping[str, Any], known: Set[str] = _TOOL_FIELDS) -> dict[str, Any]:
    """Returns the fields that only clients read, such as `icons` and `_meta`: none of them if too large."""
    extra: dict[str, Any] = repaired({name: value for name, value in definition.items() if name not in known})
    return extra if not extra or len(orjson.dumps(extra)) <= EXTRA_LIMIT else {}


class _Listing(NamedTuple):
    """A listing that the entries under `key` belong to: they are valid or not by its version of MCP."""

    method: str
    key: str
    result: Mapping[str, Any]
    version: str

    def accepts(self, entry: dict[str, Any]) -> bool:
        return _is_valid(self.method, {**self.result, self.key: [entry]}, self.version)


def _valid(listing: _Listing, known: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any] | None:
    """Returns an entry that is valid with `extra`, or else without it; None if it never is."""
    candidates = ({**known, **extra}, known) if extra else (known,)
    return next(filter(listing.accepts, candidates), None)


def _is_valid(method: str, result: dict[str, Any], version: str) -> bool:
    try:
        validate_server_result(method, version, result)
    except (ValidationError, RecursionError):  # a schema may be nested deeper than Python's stack
        return False
    return True
