"""The frozen entries: an assistant, its servers and their functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistants.catalogue import definitions
from assistants.catalogue.endpoints import Endpoint

SCHEMA_TOKEN_BUDGET = 4_000
"""Of an assistant that has none of its own."""


Vectors = Mapping[str, Sequence[float]]
"""What something is for, by the embedder's name."""


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
