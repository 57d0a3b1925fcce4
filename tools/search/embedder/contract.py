"""What every embedder offers, and how it fails."""

from collections.abc import Sequence
from typing import Protocol


class EmbedderFailed(Exception):
    """There are no vectors. Its text is for people: it holds no key, and nothing that a service answered."""

    @property
    def reason(self) -> str:
        return str(self)


class TransientFailure(EmbedderFailed):
    """One that may be gone at the next attempt, after as many seconds as the service asked for."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TooSlow(TransientFailure):
    def __init__(self) -> None:
        super().__init__("The embedder did not answer in time.")


class Embedder(Protocol):
    """Makes texts into vectors of length 1. Only vectors of one and the same `name` may be compared."""

    @property
    def name(self) -> str:
        """The model and where it runs, in at most 128 characters."""

    @property
    def dimensions(self) -> int | None:
        """None: not known before the first vector."""

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, soon or not at all: somebody waits. Raises EmbedderFailed."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, with patience: queries come first. Raises EmbedderFailed."""
