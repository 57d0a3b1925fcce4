"""Parameters of a search's statement, in the forms that cost PostgreSQL least."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format


@dataclass(frozen=True, slots=True)
class Vector:
    """A parameter of pgvector's type `vector`: to read its text form takes as long as to measure 30 tools."""

    numbers: Sequence[float]


class _VectorDumper(Dumper):
    """As pgvector's `vector_recv` reads it: the size, an unused number, and the numbers of four bytes each.

    Without an oid: that of an extension's type differs between databases, and the statement says the type.
    """

    format = Format.BINARY

    def dump(self, obj: Vector) -> bytes:
        size = len(obj.numbers)
        return pack(f">HH{size}f", size, 0, *obj.numbers)


@dataclass(frozen=True, slots=True)
class SparseVector:
    """The same of its type `sparsevec`: ascending dimensions, from 0, and the numbers there, none a 0."""

    dimensions: int
    indices: Collection[int]
    numbers: Sequence[float]


class _SparseVectorDumper(Dumper):
    """As `sparsevec_recv` reads it: both sizes, an unused number, all dimensions, and the numbers."""

    format = Format.BINARY

    def dump(self, obj: SparseVector) -> bytes:
        size = len(obj.indices)
        return pack(f">3i{size}i{size}f", obj.dimensions, size, 0, *obj.indices, *obj.numbers)


psycopg.adapters.register_dumper(Vector, _VectorDumper)
psycopg.adapters.register_dumper(SparseVector, _SparseVectorDumper)


def numbers(values: Iterable[float]) -> str:
    """Returns PostgreSQL's text of an array: psycopg would give a list the smallest type that holds it.

    So the same statement would be prepared several times.
    """
    return f"{{{','.join(map(str, values))}}}"


@lru_cache(maxsize=256)
def ids(values: frozenset[int]) -> str:
    """Returns the same. Scopes are often equal, and have up to thousands of servers."""
    return numbers(values)
