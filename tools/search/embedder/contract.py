"""The interface of embedders, and their errors."""

from collections.abc import Sequence
from typing import Protocol


class EmbedderFailed(Exception):
    """The embedder gave no vectors. The text is for people: it holds no key and no text of a service."""

    @property
    def reason(self) -> str:
        return str(self)


class TransientFailure(EmbedderFailed):
    """A failure that another attempt may not have, after `retry_after` seconds if the service said so."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TooSlow(TransientFailure):
    """The embedder did not answer before the deadline."""

    def __init__(self) -> None:
        super().__init__("The embedder did not answer in time.")


class Embedder(Protocol):
    """Makes texts into vectors of length 1. Only vectors of one and the same `name` may be compared."""

    @property
    def name(self) -> str:
        """The model and where it runs, in at most 128 characters."""

    @property
    def dimensions(self) -> int | None:
        """The size of the vectors; None if it is not known before the first one."""

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns a vector for each text, soon or not at all: somebody waits. Raises EmbedderFailed."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns a vector for each text, and lets queries go first. Raises EmbedderFailed."""
