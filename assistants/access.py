"""Explains which assistants and tools an API key can use, and why it cannot use the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from apikeys.models import ApiKey
from assistants.models import Assistant, AssistantTool
from tools.models import MCPTool, Status, ToolFunction


@dataclass(frozen=True, slots=True)
class FunctionAccess:
    """`reasons`: codes of why the key cannot use the function; empty if it can. Likewise below."""

    name: str
    public_name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerAccess:
    server: MCPTool
    reasons: tuple[str, ...]
    functions: tuple[FunctionAccess, ...]


@dataclass(frozen=True, slots=True)
class AssistantAccess:
    assistant: Assistant
    reasons: tuple[str, ...]
    servers: tuple[ServerAccess, ...]


def assistants(search: str = "") -> QuerySet[Assistant]:
    """Returns assistants by slug, with just the columns that are read here, and the functions searched for.

    `search`: a part of the name of a function or of its server; "" finds all. A page shows every function of
    every server: whole rows would be megabytes of schemas and vectors.
    """
    named = Q(public_name__icontains=search) | Q(server__name__icontains=search) if search else Q()
    functions = (
        ToolFunction.objects.filter(named)
        .order_by("public_name")
        .only(
            "server_id", "name", "public_name", "is_enabled", "removed_at", "approved_hash", "definition_hash"
        )
    )
    servers = MCPTool.objects.only("slug", "name", "is_enabled", "status", "approval", "deleted_at")
    links = AssistantTool.objects.only("assistant_id", "mcp_tool_id", "functions")
    return (
        Assistant.objects.only("slug", "name", "is_enabled")
        .order_by("slug")
        .prefetch_related(
            Prefetch("api_keys", ApiKey.objects.only("pk")),
            Prefetch("assistant_tools", links),
            Prefetch("assistant_tools__mcp_tool", servers),
            Prefetch("assistant_tools__mcp_tool__functions", functions),
        )
    )


def to_assistant(api_key: ApiKey, assistant: Assistant) -> AssistantAccess:
    """Returns the access of a key to an assistant and its tools.

    Reasons against the assistant hold for all of its tools, and are not repeated there.
    """
    return AssistantAccess(
        assistant,
        (*key_reasons(api_key), *_assistant_reasons(api_key, assistant)),
        tuple(_server(link) for link in assistant.uses),
    )


def key_reasons(api_key: ApiKey) -> Iterator[str]:
    """Yields codes of why the key may call no assistant at all."""
    if api_key.is_disabled:
        yield "key_disabled"
    if api_key.expires_at is not None and api_key.expires_at <= timezone.now():
        yield "key_expired"
    if not api_key.can_call_assistant:
        yield "calling_not_permitted"


def _assistant_reasons(api_key: ApiKey, assistant: Assistant) -> Iterator[str]:
    if api_key.pk not in assistant.api_key_ids:
        yield "not_granted"
    if not assistant.is_enabled:
        yield "assistant_disabled"


def _server(link: AssistantTool) -> ServerAccess:
    server = link.mcp_tool
    functions = tuple(_function(link, function) for function in server.functions.all())
    return ServerAccess(server, tuple(server_reasons(server)), functions)


def server_reasons(server: MCPTool) -> Iterator[str]:
    """Yields codes of why no tool of the server can be called now."""
    if not server.is_enabled:
        yield "server_stopped"
    elif server.status not in {Status.RUNNING, Status.DEGRADED}:
        yield f"server_{server.status}"


def _function(link: AssistantTool, function: ToolFunction) -> FunctionAccess:
    return FunctionAccess(function.name, function.public_name, tuple(_function_reasons(link, function)))


def _function_reasons(link: AssistantTool, function: ToolFunction) -> Iterator[str]:
    if link.functions and function.name not in link.functions:
        yield "not_chosen"
    yield from function.withheld(link.mcp_tool)
