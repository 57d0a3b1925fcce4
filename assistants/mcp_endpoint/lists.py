"""Lists of what a key reaches, as bytes: made once for each version of the catalogue, page by page."""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from assistants.mcp_endpoint.protocol import invalid_params
from assistants.mcp_endpoint.reach import Prompt, Reach, Tool
from assistants.selection import meta_tools

PAGE = 1000
"""Entries of a page: most clients read none but the first."""
_CACHE_MS = 5_000
FOUND = 10
"""Tools that a search finds unless the model asks for another number."""
_READS = {"readOnlyHint": True, "openWorldHint": False}


def page(reach: Reach, method: str, cursor: Any, *, is_stateless: bool) -> bytes:
    """Returns the result of a list method as JSON. Raises RpcError for a cursor that is not ours."""
    start = _start(cursor)
    key = f"{method} {start} {is_stateless}"
    if key not in reach.lists:
        reach.lists[key] = _page(reach, method, start, is_stateless=is_stateless)
    return reach.lists[key]


def digest(reach: Reach, method: str) -> bytes:
    """Returns what differs where a list differs."""
    key = f"{method} whole"
    if key not in reach.lists:
        name, entries = LISTS[method]
        reach.lists[key] = orjson.dumps({name: list(entries(reach))})
    return reach.lists[key]


def tool_definition(tool: Tool) -> dict[str, Any]:
    """Returns a tool as wire JSON, under the name that clients know; the rest is the server's."""
    function, details = tool.function, tool.function.read_details()
    optional = {
        "title": details.get("title"),
        "description": function.description,
        "outputSchema": details.get("output_schema"),
        "annotations": details.get("annotations"),
    }
    named = {"name": tool.name, "inputSchema": function.input_schema}
    # How we call the server is no matter of the client's: it calls every tool without a task.
    extra = {name: value for name, value in (details.get("extra") or {}).items() if name != "execution"}
    return {**extra, **named, **{name: value for name, value in optional.items() if value}}


def _tools(reach: Reach) -> Iterable[Mapping[str, Any]]:
    return search_definitions(reach) if reach.searches else map(tool_definition, reach.tools.values())


def search_definitions(reach: Reach) -> list[dict[str, Any]]:
    """Returns the two tools that stand for all others, as wire JSON."""
    why = f" There are {len(reach.tools):,}: they are not listed, because that would fill your context."
    found = meta_tools.search_definition(meta_tools.SEARCH, limit=FOUND, call=meta_tools.CALL)["function"]
    called = meta_tools.call_definition(meta_tools.CALL, search=meta_tools.SEARCH)["function"]
    return [
        {**_wire(found), "description": found["description"] + why, "annotations": _READS},
        _wire(called),
    ]


def _wire(function: dict[str, Any]) -> dict[str, Any]:
    named = {"name": function["name"], "description": function["description"]}
    return {**named, "inputSchema": function["parameters"]}


def _prompt_definition(prompt: Prompt) -> Mapping[str, Any]:
    return {**prompt.definition, "name": prompt.name}


LISTS: Mapping[str, tuple[str, Callable[[Reach], Iterable[Mapping[str, Any]]]]] = {
    "tools/list": ("tools", _tools),
    "prompts/list": ("prompts", lambda reach: map(_prompt_definition, reach.prompts.values())),
    "resources/list": ("resources", lambda reach: (each.definition for each in reach.resources.values())),
    "resources/templates/list": (
        "resourceTemplates",
        lambda reach: (each.definition for each in reach.templates),
    ),
}
"""By method, the name of the list in its result, and its entries."""


def _page(reach: Reach, method: str, start: int, *, is_stateless: bool) -> bytes:
    name, entries = LISTS[method]
    listed = list(entries(reach))
    if start and start >= len(listed):
        raise invalid_params("The cursor is not valid any more: list from the beginning.")
    result: dict[str, Any] = {name: listed[start : start + PAGE]}
    if start + PAGE < len(listed):
        result["nextCursor"] = _cursor(start + PAGE)
    if is_stateless:
        result |= {"resultType": "complete", "ttlMs": _CACHE_MS, "cacheScope": "private"}
    return orjson.dumps(result)


def _cursor(start: int) -> str:
    return base64.urlsafe_b64encode(b"from:%d" % start).decode()


def _start(cursor: Any) -> int:
    if cursor is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(str(cursor).encode()).partition(b":")
        start = int(number) if len(number) < 10 else -1
    except ValueError:
        start = -1
    if start < 0 or word != b"from":
        raise invalid_params("The cursor is not one of this server's.")
    return start
