"""Tool definitions as servers send them: repaired where that is harmless, else refused one by one."""

from collections.abc import Mapping
from typing import Any

from mcp.types.methods import validate_server_result
from pydantic import ValidationError

NAME_LIMIT = 128
DESCRIPTION_LIMIT = 4 * 1024
_TEXTS = ("title", "description")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def sift(listing: Mapping[str, Any], version: str) -> tuple[list[dict[str, Any]], set[str]]:
    """The usable tools of a `tools/list` result as wire JSON, and the names of those refused."""
    tools: list[dict[str, Any]] = []
    refused: set[str] = set()
    offered = listing.get("tools")
    for number, tool in enumerate(offered if isinstance(offered, list) else []):
        repaired = _repair(tool) if isinstance(tool, dict) else None
        if repaired is not None and _is_valid(repaired, listing, version):
            tools.append(repaired)
        else:
            refused.add(_name_of(tool, number))
    return tools, refused


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


def _is_valid(tool: dict[str, Any], listing: Mapping[str, Any], version: str) -> bool:
    try:
        validate_server_result("tools/list", version, {**listing, "tools": [tool]})
    except (ValidationError, RecursionError):
        return False
    return True
