"""Listings of what a server offers, page by page and within bounds."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from mcp import MCPError
from mcp.types import (
    METHOD_NOT_FOUND,
    ListPromptsRequest,
    ListResourcesRequest,
    ListResourceTemplatesRequest,
    ListToolsRequest,
    PaginatedRequestParams,
)
from pydantic import ValidationError

from connector.errors import SessionLost
from connector.session.outcomes import EXCERPT, lost, require_connection
from connector.session.wire_session import RAW, WireSession
from core.message import Message, joined

PAGE_LIMIT = 50
TOOL_LIMIT = 500
CAPABILITY_LIMIT = 1000

Page = tuple[list[dict[str, Any]], str | None]
"""The entries of a page, and the cursor of the next one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A server's tools as JSON. `warning` says for people which were left out; empty when none was."""

    tools: list[dict[str, Any]]
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers besides tools, as JSON. `warnings` say for people what could not be listed."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    templates: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


def warning(rejected: Collection[str], *, is_cut: bool) -> str:
    """Returns for people what a listing of tools lost: those `rejected`, and what came after a cut."""
    warnings = []
    if rejected:
        names = ", ".join(sorted(rejected)[:5])
        warnings.append(Message("Tools with an invalid definition were left out: %(names)s.", names=names))
    if is_cut:
        warnings.append(
            Message(
                "Only the first %(tools)d tools, or %(pages)d pages, are offered.",
                tools=TOOL_LIMIT,
                pages=PAGE_LIMIT,
            )
        )
    return joined(*warnings)


async def has_only_page(mcp: WireSession, tools: list[dict[str, Any]]) -> bool:
    """Whether the server lists one page that holds just these tools: cheaper than listing them anew."""
    request = ListToolsRequest(params=PaginatedRequestParams())
    try:
        result = await mcp.send_request(request, RAW)
    except (MCPError, ValidationError):
        return False  # listing the tools anew raises the right error
    # By identity: the dispatcher gives the same list as long as the page has not changed.
    return result["tools"] is tools and result.get("nextCursor") is None


async def list_tools(mcp: WireSession) -> tuple[list[dict[str, Any]], bool]:
    """Returns the tools, and whether the server would list more. Raises SessionLost."""
    tools: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGE_LIMIT):
        page, following = await _tools_page(mcp, cursor)
        tools += page
        # A cursor that repeats itself would list the same page for ever.
        if following is None or following == cursor or len(tools) > TOOL_LIMIT:
            return tools[:TOOL_LIMIT], following is not None or len(tools) > TOOL_LIMIT
        cursor = following
    return tools, True


async def list_capabilities(mcp: WireSession) -> Capabilities:
    """Lists resources, templates and prompts, as far as the server announces them. Raises SessionLost."""
    announced = mcp.server_capabilities
    resources = announced is not None and announced.resources is not None
    prompts = announced is not None and announced.prompts is not None
    warnings: list[str] = []
    return Capabilities(
        await _list(mcp, ListResourcesRequest, "resources", warnings) if resources else [],
        await _list(mcp, ListResourceTemplatesRequest, "resourceTemplates", warnings) if resources else [],
        await _list(mcp, ListPromptsRequest, "prompts", warnings) if prompts else [],
        tuple(warnings),
    )


async def _tools_page(mcp: WireSession, cursor: str | None) -> Page:
    try:
        return await mcp.list_page(cursor)
    except MCPError as error:
        # A server of resources or prompts alone need not know the method.
        if error.code == METHOD_NOT_FOUND and not _announces_tools(mcp):
            return [], None
        raise lost(error) from error
    except ValidationError as error:
        raise SessionLost(Message("The server's list of tools is no valid MCP result.")) from error


def _announces_tools(mcp: WireSession) -> bool:
    return mcp.server_capabilities is not None and mcp.server_capabilities.tools is not None


async def _list(mcp: WireSession, request: type[Any], key: str, warnings: list[str]) -> list[dict[str, Any]]:
    """A server that announces something and cannot list it offers none of it, or what it has listed so far.

    Its tools matter more: an error in an optional capability must not end the session.
    """
    listed: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGE_LIMIT):
        try:
            page, following = await _page(mcp, request, key, cursor)
        except MCPError as error:
            require_connection(error)
            # Templates are often not implemented beside resources: that is no news for anybody.
            if error.code != METHOD_NOT_FOUND:
                why = error.message[:EXCERPT]
                warnings.append(Message("The server cannot list its %(what)s: %(why)s", what=key, why=why))
            break
        listed += page
        if following is None or following == cursor or len(listed) > CAPABILITY_LIMIT:
            break
        cursor = following
    return listed[:CAPABILITY_LIMIT]


async def _page(mcp: WireSession, request: type[Any], key: str, cursor: str | None) -> Page:
    """Raises MCPError."""
    try:
        result = await mcp.send_request(request(params=PaginatedRequestParams(cursor=cursor)), RAW)
    except ValidationError:
        return [], None
    return result[key], result.get("nextCursor")
