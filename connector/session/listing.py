"""Listing, page by page and within bounds, what a server offers."""

from dataclasses import dataclass, field
from typing import Any

from mcp import ClientSession, MCPError
from mcp.types import (
    METHOD_NOT_FOUND,
    ListPromptsRequest,
    ListResourcesRequest,
    ListResourceTemplatesRequest,
    ListToolsRequest,
    PaginatedRequestParams,
)
from pydantic import TypeAdapter, ValidationError

from connector.errors import SessionLost
from connector.session.outcomes import lost

PAGE_LIMIT = 50
TOOL_LIMIT = 500
OFFER_LIMIT = 1000
_RAW: TypeAdapter[Any] = TypeAdapter(dict[str, Any])

Page = tuple[list[dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Listing:
    """A server's tools as wire JSON. `complaint` tells people what was left out; empty when nothing was."""

    tools: list[dict[str, Any]]
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """What a server has besides tools, as wire JSON."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    templates: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)


async def lists_the_same(mcp: ClientSession, tools: list[dict[str, Any]]) -> bool:
    """Whether there is one page, and it has these tools: cheaper than listing them anew."""
    request = ListToolsRequest(params=PaginatedRequestParams())
    try:
        wire = await mcp.send_request(request, _RAW)
    except (MCPError, ValidationError):
        return False  # whoever lists them anew finds out why
    return wire["tools"] is tools and wire.get("nextCursor") is None


async def list_tools(mcp: ClientSession) -> tuple[list[dict[str, Any]], bool]:
    """The tools, and whether there would be more. Raises SessionLost."""
    tools: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGE_LIMIT):
        page, following = await _tools_page(mcp, cursor)
        tools += page
        if following is None or following == cursor or len(tools) > TOOL_LIMIT:
            return tools[:TOOL_LIMIT], following is not None or len(tools) > TOOL_LIMIT
        cursor = following
    return tools, True


async def list_offers(mcp: ClientSession) -> Offers:
    """Nothing of what the server does not announce. Raises SessionLost."""
    can = mcp.server_capabilities
    resources = can is not None and can.resources is not None
    prompts = can is not None and can.prompts is not None
    return Offers(
        await _list(mcp, ListResourcesRequest, "resources") if resources else [],
        await _list(mcp, ListResourceTemplatesRequest, "resourceTemplates") if resources else [],
        await _list(mcp, ListPromptsRequest, "prompts") if prompts else [],
    )


async def _tools_page(mcp: ClientSession, cursor: str | None) -> Page:
    try:
        page = await mcp.list_tools(params=PaginatedRequestParams(cursor=cursor))
    except MCPError as error:
        if error.code == METHOD_NOT_FOUND and not _announces_tools(mcp):
            return [], None
        raise lost(error) from error
    except ValidationError as error:
        raise SessionLost("The server's list of tools is no valid MCP result.") from error
    tools = [tool.model_dump(mode="json", by_alias=True, exclude_unset=True) for tool in page.tools]
    return tools, page.next_cursor


def _announces_tools(mcp: ClientSession) -> bool:
    return mcp.server_capabilities is not None and mcp.server_capabilities.tools is not None


async def _list(mcp: ClientSession, request: type[Any], key: str) -> list[dict[str, Any]]:
    offered: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGE_LIMIT):
        page, following = await _page(mcp, request, key, cursor)
        offered += page
        if following is None or following == cursor or len(offered) > OFFER_LIMIT:
            break
        cursor = following
    return offered[:OFFER_LIMIT]


async def _page(mcp: ClientSession, request: type[Any], key: str, cursor: str | None) -> Page:
    """A server that announces what it cannot list offers none of it."""
    try:
        wire = await mcp.send_request(request(params=PaginatedRequestParams(cursor=cursor)), _RAW)
    except MCPError as error:
        if error.code == METHOD_NOT_FOUND:
            return [], None
        raise lost(error) from error
    except ValidationError:
        return [], None
    return wire[key], wire.get("nextCursor")
