"""The entries of the catalogue: an assistant, its servers and their functions. Runs share them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

import orjson

from assistants.catalogue import definitions, tool_schemas
from assistants.catalogue.endpoints import Endpoint

SCHEMA_TOKEN_BUDGET = 4_000
"""The token budget of an assistant that has none of its own."""

Vectors = Mapping[str, Sequence[float]]
"""Vectors of length 1, by the name of the embedder that made them."""


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A server that an assistant uses."""

    id: int
    name: str
    slug: str
    narrowed_to: frozenset[str] | None = None
    """Names of the functions that the assistant uses; None: all of them."""
    vectors: Vectors = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function that the model may be given. `tokens`: an upper bound for its whole definition.

    `title`, `annotations`, `output_schema` and `extra` (other fields of its wire JSON, such as `icons`) are
    what the server says: MCP clients see them, models do not.
    """

    server_id: int
    server_name: str
    server_slug: str
    name: str
    public_name: str
    description: str
    input_schema: Mapping[str, Any]
    timeout_s: float
    is_pinned: bool = False
    """Whether it is in every selection."""
    labels: frozenset[str] = frozenset()
    """Of `tools.models.Label`: its own, or those of its server."""
    definition_hash: str = ""
    generation: int = 0
    """Of its server's launch: it counts the changes of its command, URL, headers and variables."""
    is_trusted: bool = False
    """Whether staff have approved this definition, so that its annotations may be believed."""
    details: str = field(default="{}", repr=False)
    """JSON of what only MCP clients see. It is read when one of them lists tools, and by no chat."""
    offered: tool_schemas.Offered = field(init=False, repr=False, compare=False)
    """Its schema as models see it."""
    tokens: int = field(init=False)
    _lean: tuple[definitions.Definition, int] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "offered", tool_schemas.offered(self.input_schema))
        object.__setattr__(self, "tokens", definitions.tokens(self.definition))

    @property
    def definition(self) -> definitions.Definition:
        return definitions.whole(self.public_name, self.description, self.offered)

    @property
    def lean(self) -> tuple[definitions.Definition, int]:
        """Its lean definition and the tokens of that: made once it is wanted, which of many tools few are."""
        if self._lean is None:
            definition = definitions.lean(self.definition)
            object.__setattr__(self, "_lean", (definition, definitions.tokens(definition)))
        return cast("tuple[definitions.Definition, int]", self._lean)

    @property
    def title(self) -> str:
        return cast(str, self.read_details().get("title") or "")

    @property
    def annotations(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.read_details().get("annotations") or {})

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """The schema of `structuredContent`; None where the server declares none."""
        return cast("dict[str, Any] | None", self.read_details().get("output_schema"))

    @property
    def extra(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.read_details().get("extra") or {})

    def read_details(self) -> dict[str, Any]:
        """Returns `title`, `annotations`, `output_schema` and `extra`, as far as there are any.

        It parses them each time: whoever wants several of them calls it once.
        """
        return cast(dict[str, Any], orjson.loads(self.details))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class AssistantEntry:
    """An assistant with all that it uses. `created` is in Unix seconds; `servers` may be without functions.

    It is compared by identity and weakly referable, so that what is derived from it (a BM25 vector, Strands'
    tools) can be cached for the lifetime of the entry.
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
    masks_secrets: bool = False
    """Whether secrets in results of its tools are masked."""
    rendering: str = "none"
    fallback: Endpoint | None = None
    """The service that is asked if `endpoint` fails before it answers."""
    selection: str = "all"
    top_k: int = 10
    schema_token_budget: int = SCHEMA_TOKEN_BUDGET
    description: str = ""
    learns: bool = True
    """Whether tools that served similar requests before are preferred (relevance feedback)."""
    vectors: Vectors = field(default_factory=dict, repr=False)
    by_name: Mapping[str, FunctionEntry] = field(init=False, repr=False)
    """Its functions, by public name."""
    pinned: tuple[str, ...] = field(init=False, repr=False)
    """The public names of those that are in every selection."""
    tokens: int = field(init=False, repr=False)
    """Of all its definitions. Both are derived once: no run should look at each of a thousand tools."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {each.public_name: each for each in self.functions})
        pinned = tuple(each.public_name for each in self.functions if each.is_pinned)
        object.__setattr__(self, "pinned", pinned)
        object.__setattr__(self, "tokens", sum(each.tokens for each in self.functions))

    def narrowed_to(self, names: Collection[str]) -> Self:
        """Returns the assistant with these of its functions, by public name, and their servers."""
        functions = tuple(self.by_name[name] for name in sorted(names) if name in self.by_name)
        used = {each.server_id for each in functions}
        return replace(
            self, functions=functions, servers=tuple(each for each in self.servers if each.id in used)
        )
