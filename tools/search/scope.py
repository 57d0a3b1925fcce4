"""The scope of a search: the tools that it may find."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Tools that a model may be given, of these servers, or of all servers if `server_ids` is None.

    `narrowed`: by server, the names of its tools in scope, if not all of them are. `used_by`: the id of the
    assistant whose relevance feedback counts.
    """

    server_ids: frozenset[int] | None = None
    narrowed: Mapping[int, frozenset[str]] = field(default_factory=dict)
    used_by: int | None = None

    @property
    def is_named(self) -> bool:
        """Whether each tool in scope is named: then no other tool of its server has to be looked at."""
        return bool(self.narrowed) and self.server_ids == frozenset(self.narrowed)


EVERYTHING = Scope()
