"""Where a search looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Functions that a model may be given, of these servers; of all present servers where it is None.

    `narrowed`: by server, the names of the functions that count where not all of them do. `used_by`: the
    assistant whose uses of a function speak for it.
    """

    server_ids: frozenset[int] | None = None
    narrowed: Mapping[int, frozenset[str]] = field(default_factory=dict)
    used_by: int | None = None


EVERYTHING = Scope()
