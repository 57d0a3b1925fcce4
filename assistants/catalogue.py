"""Assistants as the doors need them: whole, frozen, and from memory."""

import re
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Prefetch

from apikeys.authentication import Principal
from assistants import definitions
from assistants.errors import ModelNotFound
from assistants.models import Assistant, AssistantQuerySet, AssistantTool, Provider
from core.database import in_thread
from core.feed import FeedCache
from tools.models import Embedded, ToolFunction

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
SCHEMA_TOKEN_BUDGET = 4_000
"""Of an assistant that has none of its own."""
_FUNCTION = ["server_id", "name", "public_name", "description", "overrides", "input_schema", "annotations"]
_SERVER = [
    f"mcp_tool__{field}"
    for field in (
        "name", "slug", "call_timeout_s", "embedding", "embedder", "next_embedding", "next_embedder",
    )
]  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")


Vectors = Mapping[str, Sequence[float]]
"""What something is for, by the embedder's name."""


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
    narrowed_to: frozenset[str] | None = None
    """Names of the functions that the assistant uses, where not all of them."""
    vectors: Vectors = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function as it is offered to the model. `tokens`: what its whole definition takes, at most."""

    server_id: int
    server_name: str
    server_slug: str
    name: str
    public_name: str
    description: str
    input_schema: Mapping[str, Any]
    read_only: bool
    timeout_s: float
    is_pinned: bool = False
    """Whether every selection keeps it."""
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", definitions.tokens(self.definition))

    @property
    def definition(self) -> definitions.Definition:
        return definitions.whole(self.public_name, self.description, self.input_schema)


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
    selection: str = "all"
    top_k: int = 10
    schema_token_budget: int = SCHEMA_TOKEN_BUDGET
    description: str = ""
    learns: bool = True
    """Whether what was used for a request speaks for itself at similar ones."""
    vectors: Vectors = field(default_factory=dict, repr=False)
    by_name: Mapping[str, FunctionEntry] = field(init=False, repr=False)
    """Its functions, by public name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {each.public_name: each for each in self.functions})


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
    return rows.prefetch_related("api_keys", Prefetch("assistant_tools", shown))


def _entries(assistants: AssistantQuerySet) -> Iterator[AssistantEntry]:
    """A few queries, however many assistants there are."""
    rows = list(assistants)
    functions = _by_server({link.mcp_tool_id for row in rows for link in row.assistant_tools.all()})
    return (_entry(row, functions) for row in rows)


def _by_server(server_ids: Collection[int]) -> Mapping[int, Sequence[ToolFunction]]:
    rows = ToolFunction.objects.offered().filter(server__in=server_ids).only(*_FUNCTION)
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
    places = ((row.embedder, row.embedding), (row.next_embedder, row.next_embedding))
    return {name: array("f", vector) for name, vector in places if vector is not None}


def endpoint(provider: Provider | None, model: str = "") -> Endpoint:
    """Without a provider, the one of the environment; without a model, the provider's default."""
    if provider is None:
        return Endpoint(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, model or settings.OPENAI_MODEL)
    base_url = provider.base_url.rstrip("/")
    if provider.kind == Provider.Kind.OPENAI:
        base_url = base_url or OPENAI_BASE_URL
    return Endpoint(base_url, provider.api_key, model or provider.default_model, provider.kind)


def _server(link: AssistantTool) -> ServerEntry:
    server = link.mcp_tool
    narrowed_to = frozenset(link.functions) if link.functions else None
    return ServerEntry(server.pk, server.name, server.slug, narrowed_to, _vectors(server))


def _functions(
    links: list[AssistantTool], functions: Mapping[int, Sequence[ToolFunction]]
) -> list[FunctionEntry]:
    """In a stable order, so that an LLM's prompt cache holds."""
    used = (
        _function(link, row)
        for link in links
        for row in functions.get(link.mcp_tool_id, ())
        if not link.functions or row.name in link.functions
    )
    return sorted(used, key=lambda function: function.public_name)


def _function(link: AssistantTool, row: ToolFunction) -> FunctionEntry:
    server = link.mcp_tool
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
        is_pinned=row.name in link.pinned,
    )
