"""Explains which assistants and tools an API key can use, and why it cannot use the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet, TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apikeys.models import ApiKey
from assistants.models import Assistant, AssistantTool
from tools.models import MCPTool, Status, ToolFunction


class Reason(TextChoices):
    """Why something cannot be used: a code for the API, and its words for the console."""

    KEY_DISABLED = "key_disabled", _("The key is disabled")
    KEY_EXPIRED = "key_expired", _("The key has expired")
    CALLING_NOT_PERMITTED = "calling_not_permitted", _("The key may not call assistants")
    NOT_GRANTED = "not_granted", _("The key was not given this assistant")
    ASSISTANT_DISABLED = "assistant_disabled", _("The assistant is off")
    SERVER_STOPPED = "server_stopped", _("Server stopped")
    SERVER_STARTING = "server_starting", _("Server starting")
    SERVER_ERROR = "server_error", _("Server in error")
    NOT_CHOSEN = "not_chosen", _("Not among the tools chosen of its server")
    FUNCTION_REMOVED = "function_removed", _("No longer offered by its server")
    FUNCTION_DISABLED = "function_disabled", _("Switched off")
    NOT_APPROVED = "not_approved", _("Waits for approval")


@dataclass(frozen=True, slots=True)
class FunctionAccess:
    """`reasons`: why the key cannot use the function; empty if it can. Likewise below."""

    name: str
    public_name: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class ServerAccess:
    server: MCPTool
    reasons: tuple[Reason, ...]
    functions: tuple[FunctionAccess, ...]


@dataclass(frozen=True, slots=True)
class AssistantAccess:
    assistant: Assistant
    reasons: tuple[Reason, ...]
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


def key_reasons(api_key: ApiKey) -> Iterator[Reason]:
    """Yields why the key may call no assistant at all."""
    if api_key.is_disabled:
        yield Reason.KEY_DISABLED
    if api_key.expires_at is not None and api_key.expires_at <= timezone.now():
        yield Reason.KEY_EXPIRED
    if not api_key.can_call_assistant:
        yield Reason.CALLING_NOT_PERMITTED


def _assistant_reasons(api_key: ApiKey, assistant: Assistant) -> Iterator[Reason]:
    if api_key.pk not in assistant.api_key_ids:
        yield Reason.NOT_GRANTED
    if not assistant.is_enabled:
        yield Reason.ASSISTANT_DISABLED


def _server(link: AssistantTool) -> ServerAccess:
    server = link.mcp_tool
    functions = tuple(_function(link, function) for function in server.functions.all())
    return ServerAccess(server, tuple(server_reasons(server)), functions)


def server_reasons(server: MCPTool) -> Iterator[Reason]:
    """Yields why no tool of the server can be called now."""
    if not server.is_enabled:
        yield Reason.SERVER_STOPPED
    elif server.status not in {Status.RUNNING, Status.DEGRADED}:
        yield Reason(f"server_{server.status}")


def _function(link: AssistantTool, function: ToolFunction) -> FunctionAccess:
    return FunctionAccess(function.name, function.public_name, tuple(_function_reasons(link, function)))


def _function_reasons(link: AssistantTool, function: ToolFunction) -> Iterator[Reason]:
    if link.functions and function.name not in link.functions:
        yield Reason.NOT_CHOSEN
    yield from withheld(link.mcp_tool, function)


def withheld(server: MCPTool, function: ToolFunction) -> Iterator[Reason]:
    """Yields why no model is given the tool, whichever assistant uses it."""
    return map(Reason, function.withheld(server))
