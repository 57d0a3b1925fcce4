"""Assistant entries from the database, cached until the change feed reports a change."""

import re
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence

from django.db.models import Prefetch, TextField
from django.db.models.functions import Cast, JSONObject

from apikeys.authentication import Principal
from apikeys.models import ApiKey
from assistants.catalogue.endpoints import endpoint
from assistants.catalogue.entries import (
    SCHEMA_TOKEN_BUDGET,
    AssistantEntry,
    FunctionEntry,
    ServerEntry,
    Vectors,
)
from assistants.errors import ModelNotFound
from assistants.models import Assistant, AssistantQuerySet, AssistantTool
from core.database import in_thread
from core.feed import FeedCache
from tools.models import (
    Approval,
    Embedded,
    MCPTool,
    MCPToolQuerySet,
    ToolFunction,
    ToolFunctionQuerySet,
)

# Every table that an entry is made of. Their triggers are in the migrations named `feed`.
TABLES = (
    "assistants_alias",
    "assistants_assistant",
    "assistants_assistant_api_keys",
    "assistants_assistanttool",
    "assistants_provider",
    "tools_mcptool",
    "tools_toolfunction",
)
_FUNCTION = [
    "server_id", "name", "public_name", "description", "overrides", "input_schema", "labels",
    "definition_hash", "approved_hash",
]  # fmt: skip
_SERVER = [
    f"mcp_tool__{field}"
    for field in (
        "name", "slug", "call_timeout_s", "approval", "generation", "labels",
        "embedding", "embedder", "next_embedding", "next_embedder",
    )
]  # fmt: skip
# As text: parsing the details of all tools would cost chats, which read none of them.
_DETAILS = Cast(
    JSONObject(**{name: name for name in ("title", "annotations", "output_schema", "extra")}), TextField()
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")


async def find(name: str, principal: Principal) -> AssistantEntry:
    """Returns the assistant whose slug or alias is `name`, if the key may call it. Raises ModelNotFound."""
    entry = await enabled(name)
    if principal.id not in entry.api_key_ids:
        raise ModelNotFound
    return entry


async def enabled(name: str) -> AssistantEntry:
    """Returns the enabled assistant whose slug or alias is `name`, for staff. Raises ModelNotFound."""
    # Only well-formed names are looked up: a caller who tries others must not fill the cache or ask the
    # database.
    entry = await _by_name.get(name) if _NAME.fullmatch(name) else None
    if entry is None:
        raise ModelNotFound
    return entry


async def callable_by(principal: Principal) -> tuple[AssistantEntry, ...]:
    """Returns the assistants that the key may call, ordered by slug."""
    return await callable_by_key(principal.id)


async def callable_by_key(key_id: int) -> tuple[AssistantEntry, ...]:
    """Returns the same for the id of a key."""
    return await _by_key.get(key_id)


async def load_one() -> None:
    """Loads the assistant that was changed last: the first load of a process takes several times as long."""
    if name := await _latest():
        await _by_name.get(name)


@in_thread
def _latest() -> str | None:
    enabled = Assistant.objects.filter(is_enabled=True).order_by("-updated_at")
    return enabled.values_list("slug", flat=True).first()


@in_thread
def _load(name: str) -> AssistantEntry | None:
    return next(_entries(_rows().filter(is_enabled=True).named(name)[:1]), None)


@in_thread
def _load_callable(key_id: int) -> tuple[AssistantEntry, ...]:
    return tuple(_entries(_rows().callable_by(key_id).order_by("slug")))


_by_name: FeedCache[str, AssistantEntry | None] = FeedCache(_load, TABLES)
_by_key: FeedCache[int, tuple[AssistantEntry, ...]] = FeedCache(_load_callable, TABLES)


def _rows() -> AssistantQuerySet:
    links = AssistantTool.objects.filter(mcp_tool__deleted_at=None).order_by("mcp_tool__slug")
    shown = links.select_related("mcp_tool").only("assistant_id", "functions", "pinned", *_SERVER)
    rows = Assistant.objects.select_related("provider", "fallback_provider")
    keys = ApiKey.objects.only("pk")
    return rows.prefetch_related(Prefetch("api_keys", keys), Prefetch("assistant_tools", shown))


def _entries(assistants: AssistantQuerySet) -> Iterator[AssistantEntry]:
    """Yields the entries of these assistants. It takes the same number of queries however many there are."""
    rows = list(assistants)
    functions = _by_server({link.mcp_tool_id for row in rows for link in row.assistant_tools.all()})
    return (_entry(row, functions) for row in rows)


def _by_server(server_ids: Collection[int]) -> Mapping[int, Sequence[ToolFunction]]:
    offered = ToolFunction.objects.offered().filter(server__in=server_ids)
    rows = offered.only(*_FUNCTION).annotate(details=_DETAILS)
    functions: dict[int, list[ToolFunction]] = {}
    for row in rows:
        functions.setdefault(row.server_id, []).append(row)
    return functions


def _entry(row: Assistant, functions: Mapping[int, Sequence[ToolFunction]]) -> AssistantEntry:
    links = list(row.assistant_tools.all())
    return AssistantEntry(
        id=row.pk,
        slug=row.slug,
        name=row.name,
        created=int(row.created_at.timestamp()),
        system_prompt=row.system_prompt,
        endpoint=endpoint(row.provider, row.model),
        parameters=row.parameters,
        max_rounds=row.max_rounds,
        functions=tuple(_functions(links, functions)),
        servers=tuple(map(_server, links)),
        api_key_ids=frozenset(key.pk for key in row.api_keys.all()),
        store_bodies=row.store_bodies,
        masks_secrets=row.masks_secrets,
        rendering=row.rendering,
        fallback=endpoint(row.fallback_provider, row.fallback_model) if row.fallback_provider else None,
        selection=row.selection,
        top_k=row.top_k,
        schema_token_budget=row.schema_token_budget or SCHEMA_TOKEN_BUDGET,
        description=row.description,
        learns=row.learns,
        vectors=_vectors(row),
    )


def _vectors(row: Embedded) -> Vectors:
    slots = ((row.embedder, row.embedding), (row.next_embedder, row.next_embedding))
    # A compact array: as Python floats, 384 dimensions of thousands of servers take eight times the memory.
    return {name: array("f", vector) for name, vector in slots if vector is not None}


def _server(link: AssistantTool) -> ServerEntry:
    server = link.mcp_tool
    narrowed_to = frozenset(link.functions) if link.functions else None
    vectors, timeout_s = _vectors(server), server.call_timeout_s
    return ServerEntry(server.pk, server.name, server.slug, narrowed_to, vectors, timeout_s)


def _functions(
    links: list[AssistantTool], functions: Mapping[int, Sequence[ToolFunction]]
) -> list[FunctionEntry]:
    """Returns the functions by public name: in a stable order, so that an LLM's prompt cache holds."""
    used = (
        _function(link.mcp_tool, row, is_pinned=row.name in link.pinned)
        for link in links
        for row in functions.get(link.mcp_tool_id, ())
        if not link.functions or row.name in link.functions
    )
    return sorted(used, key=lambda function: function.public_name)


def functions_of(server: MCPTool) -> tuple[FunctionEntry, ...]:
    """Returns the functions of a server that models may be given, by name. It uses the ORM."""
    rows = _by_server([server.pk]).get(server.pk, ())
    return tuple(_function(server, row) for row in sorted(rows, key=lambda row: row.name))


def function_of(server_id: int, name: str) -> FunctionEntry | None:
    """Returns a function that models may be given now; None where it is not offered. It uses the ORM."""
    return _one(MCPTool.objects.wanted(), server_id, ToolFunction.objects.offered(), name)


def registered(server_id: int, name: str) -> FunctionEntry | None:
    """Returns a function that its server has, offered to models or not. It uses the ORM."""
    return _one(MCPTool.objects.present(), server_id, ToolFunction.objects.present(), name)


def _one(
    servers: MCPToolQuerySet, server_id: int, functions: ToolFunctionQuerySet, name: str
) -> FunctionEntry | None:
    server = servers.without_vectors().filter(pk=server_id).first()
    if server is None:
        return None
    named = functions.filter(server=server, name=name)
    row = named.only(*_FUNCTION).annotate(details=_DETAILS).first()
    return None if row is None else _function(server, row)


def _function(server: MCPTool, row: ToolFunction, *, is_pinned: bool = False) -> FunctionEntry:
    return FunctionEntry(
        server_id=server.pk,
        server_name=server.name,
        server_slug=server.slug,
        name=row.name,
        public_name=row.public_name,
        description=row.overrides.get("description") or row.description,
        input_schema=row.input_schema,
        timeout_s=server.call_timeout_s,
        is_pinned=is_pinned,
        labels=frozenset(server.labels if row.labels is None else row.labels),
        definition_hash=row.definition_hash,
        generation=server.generation,
        is_trusted=server.approval == Approval.PINNED and row.approved_hash == row.definition_hash,
        details=row.details,  # type: ignore[attr-defined]
    )
