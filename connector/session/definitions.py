"""Definitions as servers send them: repaired where that is harmless, otherwise rejected one by one.

The SDK validates a listing as a whole: one broken definition would cost all tools of its server.
"""

from collections.abc import Mapping
from typing import Any

from mcp.types.methods import validate_server_result
from pydantic import ValidationError

from core.cut_text import cut

NAME_LIMIT = 128
DESCRIPTION_LIMIT = 4 * 1024
URI_LIMIT = 2048  # bytes, because a B-tree index of PostgreSQL takes no longer key than about 2,700
CAPABILITY_LISTINGS = {
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
"""The methods that list capabilities other than tools: the key in the result, and what identifies one."""
_TEXTS = ("title", "description")
_CAPABILITY_FIELDS = ("uri", "uriTemplate", "name", "title", "description", "mimeType", "size", "arguments")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def usable_tools(listing: Mapping[str, Any], version: str) -> tuple[list[dict[str, Any]], set[str]]:
    """Returns the usable tools of a `tools/list` result as JSON, and the names of the rejected ones."""
    tools: list[dict[str, Any]] = []
    rejected: set[str] = set()
    offered = listing.get("tools")
    for number, tool in enumerate(offered if isinstance(offered, list) else []):
        repaired = _repair(tool) if isinstance(tool, dict) else None
        if repaired is not None and _is_valid("tools/list", {**listing, "tools": [repaired]}, version):
            tools.append(repaired)
        else:
            rejected.add(_name_of(tool, number))
    return tools, rejected


def usable_capabilities(method: str, listing: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Returns a listing of capabilities with its usable entries alone, each under its own identity."""
    key, identity = CAPABILITY_LISTINGS[method]
    usable: dict[str, dict[str, Any]] = {}
    offered = listing.get(key)
    for entry in offered if isinstance(offered, list) else []:
        if isinstance(entry, dict) and _is_valid(method, {**listing, key: [entry]}, version):
            name = entry[identity]
            if 0 < len(name.encode()) <= URI_LIMIT:
                # The first of two with the same identity wins: it is what a server would find first, too.
                usable.setdefault(
                    name, {field: entry[field] for field in _CAPABILITY_FIELDS if field in entry}
                )
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


def _is_valid(method: str, result: dict[str, Any], version: str) -> bool:
    try:
        validate_server_result(method, version, result)
    except (ValidationError, RecursionError):  # a schema may be nested deeper than Python's stack
        return False
    return True
