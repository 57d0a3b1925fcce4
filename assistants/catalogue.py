"""Assistants as the doors need them: whole, frozen, and from memory."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apikeys.authentication import Principal
from apikeys.database import in_thread
from apikeys.feed import FeedCache
from assistants.errors import ModelNotFound
from assistants.models import Assistant, AssistantQuerySet, AssistantTool, Provider
from tools.models import MCPTool, ToolFunction

TABLES = (
    "assistants_alias",
    "assistants_assistant",
    "assistants_assistant_api_keys",
    "assistants_assistanttool",
    "assistants_provider",
    "tools_mcptool",
    "tools_toolfunction",
)
OPENAI_BASE_URL = "https://api.openai.com/v1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an assistant's LLM is. `base_url` has no slash at its end; without `api_key` none is sent."""

    base_url: str
    api_key: str = field(repr=False)
    model: str
    kind: str = "openai"
    """One of Provider.Kind; of the others than this, `base_url` may be empty."""


@dataclass(frozen=True, slots=True)
class ServerEntry:
    id: int
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function as it is offered to the model."""

    server_id: int
    server_name: str
    server_slug: str
    name: str
    public_name: str
    description: str
    input_schema: Mapping[str, Any]
    read_only: bool
    timeout_s: float


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class AssistantEntry:
    """`created` is in Unix seconds. `servers` are all that it uses, those without functions too.

    Compared by identity, and weakly referable: what is made of one is kept for as long as it lives.
    """

    id: int
    slug: str
    name: str
    created: int
    system_prompt: str
    endpoint: Endpoint
    parameters: Mapping[str, Any]
    max_rounds: int
    functions: tuple[FunctionEntry, ...]
    servers: tuple[ServerEntry, ...]
    api_key_ids: frozenset[int]
    store_bodies: bool = False
    rendering: str = "none"
    fallback: Endpoint | None = None
    """Asked where `endpoint` fails before it answers."""


async def find(name: str, principal: Principal) -> AssistantEntry:
    """The assistant that the caller named as `model`, by slug or alias. Raises ModelNotFound."""
    entry = await _by_name.get(name) if _NAME.fullmatch(name) else None
    if entry is None or principal.id not in entry.api_key_ids:
        raise ModelNotFound
    return entry


async def callable_by(principal: Principal) -> tuple[AssistantEntry, ...]:
    """What the key may call, by slug."""
    return await _by_key.get(principal.id)


@in_thread
def _load(name: str) -> AssistantEntry | None:
    row = _rows().filter(is_enabled=True).named(name).first()
    return _entry(row) if row else None


@in_thread
def _load_callable(key_id: int) -> tuple[AssistantEntry, ...]:
    return tuple(_entry(row) for row in _rows().callable_by(key_id).order_by("slug"))


_by_name: FeedCache[str, AssistantEntry | None] = FeedCache(_load, TABLES)
_by_key: FeedCache[int, tuple[AssistantEntry, ...]] = FeedCache(_load_callable, TABLES)


def _rows() -> AssistantQuerySet:
    return Assistant.objects.select_related("provider", "fallback_provider").prefetch_related("api_keys")


def _entry(row: Assistant) -> AssistantEntry:
    links = list(row.assistant_tools.filter(mcp_tool__deleted_at=None).select_related("mcp_tool"))
    links.sort(key=lambda link: link.mcp_tool.slug)
    return AssistantEntry(
        id=row.pk,
        slug=row.slug,
        name=row.name,
        created=int(row.created_at.timestamp()),
        system_prompt=row.system_prompt,
        endpoint=endpoint(row.provider, row.model),
        parameters=row.parameters,
        max_rounds=row.max_rounds,
        functions=tuple(_functions(links)),
        servers=tuple(_server(link.mcp_tool) for link in links),
        api_key_ids=frozenset(key.pk for key in row.api_keys.all()),
        store_bodies=row.store_bodies,
        rendering=row.rendering,
        fallback=endpoint(row.fallback_provider, row.fallback_model) if row.fallback_provider else None,
    )


def endpoint(provider: Provider | None, model: str = "") -> Endpoint:
    """Without a provider, the one of the environment; without a model, the provider's default."""
    if provider is None:
        return Endpoint(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, model or settings.OPENAI_MODEL)
    base_url = provider.base_url.rstrip("/")
    if provider.kind == Provider.Kind.OPENAI:
        base_url = base_url or OPENAI_BASE_URL
    return Endpoint(base_url, provider.api_key, model or provider.default_model, provider.kind)


def _server(server: MCPTool) -> ServerEntry:
    return ServerEntry(id=server.pk, name=server.name, slug=server.slug)


def _functions(links: list[AssistantTool]) -> Iterator[FunctionEntry]:
    """In a stable order, so that an LLM's prompt cache holds."""
    servers = {link.mcp_tool_id: link.mcp_tool for link in links}
    chosen = {link.mcp_tool_id: link.functions for link in links}
    rows = ToolFunction.objects.offered().filter(server__in=servers).order_by("public_name")
    for row in rows:
        names = chosen[row.server_id]
        if not names or row.name in names:
            yield _function(servers[row.server_id], row)


def _function(server: MCPTool, row: ToolFunction) -> FunctionEntry:
    return FunctionEntry(
        server_id=server.pk,
        server_name=server.name,
        server_slug=server.slug,
        name=row.name,
        public_name=row.public_name,
        description=row.overrides.get("description") or row.description,
        input_schema=row.input_schema,
        read_only=row.annotations.get("readOnlyHint") is True,
        timeout_s=server.call_timeout_s,
    )
