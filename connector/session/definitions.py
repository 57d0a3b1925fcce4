"""Definitions as servers send them: repaired where that is harmless, else refused one by one."""

from collections.abc import Mapping
from typing import Any

from mcp.types.methods import validate_server_result
from pydantic import ValidationError

NAME_LIMIT = 128
DESCRIPTION_LIMIT = 4 * 1024
URI_LIMIT = 2048  # bytes: it is indexed
OFFERS = {
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
    "prompts/list": ("prompts", "name"),
}
"""What servers list besides tools: where in the result, and what identifies one."""
_TEXTS = ("title", "description")
_KEPT = ("uri", "uriTemplate", "name", "title", "description", "mimeType", "size", "arguments")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def sift(listing: Mapping[str, Any], version: str) -> tuple[list[dict[str, Any]], set[str]]:
    """The usable tools of a `tools/list` result as wire JSON, and the names of those refused."""
    tools: list[dict[str, Any]] = []
    refused: set[str] = set()
    offered = listing.get("tools")
    for number, tool in enumerate(offered if isinstance(offered, list) else []):
        repaired = _repair(tool) if isinstance(tool, dict) else None
        if repaired is not None and _is_valid("tools/list", {**listing, "tools": [repaired]}, version):
            tools.append(repaired)
        else:
            refused.add(_name_of(tool, number))
    return tools, refused


def sift_offers(method: str, listing: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The same result with what can be used of it: each under an identity of its own."""
    key, identity = OFFERS[method]
    usable: dict[str, dict[str, Any]] = {}
    offered = listing.get(key)
    for offer in offered if isinstance(offered, list) else []:
        if isinstance(offer, dict) and _is_valid(method, {**listing, key: [offer]}, version):
            known_as = offer[identity]
            if 0 < len(known_as.encode()) <= URI_LIMIT:
                usable.setdefault(known_as, {name: offer[name] for name in _KEPT if name in offer})
    return {**listing, key: list(usable.values())}


def _name_of(tool: Any, number: int) -> str:
    name = tool.get("name") if isinstance(tool, dict) else None
    return name[:NAME_LIMIT] if isinstance(name, str) and name else f"number {number + 1}"


def _repair(tool: dict[str, Any]) -> dict[str, Any] | None:
    """Only what we use of a definition, in the types that the specification asks for; None if hopeless."""
    name, schema = tool.get("name"), tool.get("inputSchema")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT or "\0" in name:
        return None
    if schema is None or schema is True:
        schema = {"type": "object"}
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return None
    kept: dict[str, Any] = {"name": name, "inputSchema": {**schema, "type": "object"}}
    kept |= {key: tool[key] for key in _TEXTS if isinstance(tool.get(key), str)}
    if "description" in kept:
        kept["description"] = kept["description"][:DESCRIPTION_LIMIT]
    output = tool.get("outputSchema")
    if isinstance(output, dict) and output.get("type") == "object":
        kept["outputSchema"] = output
    if isinstance(tool.get("annotations"), dict):
        kept["annotations"] = _annotations(tool["annotations"])
    return kept


def _annotations(given: dict[str, Any]) -> dict[str, Any]:
    kept = {hint: given[hint] for hint in _HINTS if isinstance(given.get(hint), bool)}
    return kept | ({"title": given["title"]} if isinstance(given.get("title"), str) else {})


def _is_valid(method: str, result: dict[str, Any], version: str) -> bool:
    try:
        validate_server_result(method, version, result)
    except (ValidationError, RecursionError):
        return False
    return True
