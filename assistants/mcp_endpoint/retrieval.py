"""A search among the tools instead of all their definitions, where these would fill a model's context."""

from collections.abc import Iterable
from typing import Any

import orjson

from apikeys import limits
from assistants.mcp_endpoint import calls, lists, params
from assistants.mcp_endpoint.clients import Client
from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.outlet import Outlet
from assistants.mcp_endpoint.protocol import INTERNAL_ERROR, RpcError
from assistants.mcp_endpoint.reach import Reach, Tool
from assistants.selection import meta_tools
from core.database import DATABASE_ERRORS
from tools.search import search

_EMBED_WITHIN_S = 0.6


async def find_tools(client: Client, request: Request) -> dict[str, Any]:
    """Answers a call of `search_tools`; wrong arguments by a result. Raises RpcError and LimitReached."""
    arguments = params.objects(request, "arguments")
    query, limit = arguments.get("query"), arguments.get("limit", lists.FOUND)
    if not isinstance(query, str) or not query.strip():
        return calls.failed_result("Give a query: what the tool should do.", client)
    if not isinstance(limit, int) or not 1 <= limit <= meta_tools.MOST_FOUND:
        return calls.failed_result(f"limit must be a number from 1 to {meta_tools.MOST_FOUND}.", client)
    await limits.current().admit(client.principal)
    found = {"tools": [lists.tool_definition(tool) for tool in await _found(client.reach, query, limit)]}
    text = orjson.dumps(found).decode() if found["tools"] else "No tool was found."
    return calls.complete_result(
        {"content": [{"type": "text", "text": text}], "structuredContent": found}, client
    )


async def call_found(client: Client, request: Request, outlet: Outlet) -> dict[str, Any]:
    """Answers a call of `call_tool`, as if the tool itself had been called."""
    arguments = params.objects(request, "arguments")
    name, given = arguments.get("name"), arguments.get("arguments", {})
    if not isinstance(name, str):
        return calls.failed_result(f"Give a name: that of a tool that {meta_tools.SEARCH} found.", client)
    tool = client.reach.tools.get(name)
    if tool is None:
        return calls.failed_result(
            f"There is no tool {name[:64]!r}: find one with {meta_tools.SEARCH}.", client
        )
    if not isinstance(given, dict):
        return calls.failed_result("arguments must be an object.", client)
    if beside := sorted(arguments.keys() - {"name", "arguments"}):
        # A tool whose parameters have defaults would run, and with other arguments than the model meant.
        misplaced = ", ".join(map(repr, beside))[:256]
        return calls.failed_result(f"Not called: put {misplaced} into 'arguments', for the tool.", client)
    return await calls.run_tool(client, request, outlet, tool, given)


async def _found(reach: Reach, query: str, limit: int) -> Iterable[Tool]:
    try:
        found = await search([query], reach.scope, limit=limit, embed_within_s=_EMBED_WITHIN_S)
    except DATABASE_ERRORS as error:
        raise RpcError(INTERNAL_ERROR, "Tools cannot be searched at the moment.", status=503) from error
    hits = (reach.by_function.get((hit.server_id, hit.function)) for hit in found.hits)
    # The index may be newer than what is known here: a tool that is not known cannot be called.
    return [tool for tool in hits if tool is not None]
