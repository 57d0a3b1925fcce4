"""What selections learn from: which functions served which requests of an assistant. Written off every path.

Of a request its vector is added to a sum; the text itself is not kept.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from assistants.catalogue.entries import AssistantEntry
from assistants.selection import query
from core.background import BatchWriter
from core.database import in_thread
from tools import feedback
from tools.search import read_as
from tools.search.embedder import Embedder, EmbedderFailed, active

log = logging.getLogger(__name__)

Function = tuple[int, str]
"""The id of its server, and its name."""


@dataclass(frozen=True, slots=True)
class Served:
    assistant_id: int
    functions: Collection[Function]
    request: str = field(repr=False)
    """As an embedder reads it."""


def note(
    assistant: AssistantEntry, messages: Sequence[Mapping[str, Any]], functions: Collection[Function]
) -> None:
    """These functions served a run about `messages`. Where its assistant selects and learns, that is kept."""
    if assistant.selection == "all" or not assistant.learns or not functions:
        return
    if request := read_as(query.said(messages)):
        writer.add(Served(assistant.id, functions, request))


async def _write(noted: Sequence[Served]) -> None:
    """Without an embedder, or where it fails, nothing is learned."""
    embedder = active()
    if embedder is None:
        return
    try:
        vectors = [await _vector(served, embedder) for served in noted]
    except EmbedderFailed as failure:
        log.warning("What %d runs used is not learned from: %s", len(noted), failure.reason)
        return
    await _record(noted, vectors, embedder.name)


async def _vector(served: Served, embedder: Embedder) -> list[float]:
    """From memory, as a rule: the selection has asked for it."""
    (vector,) = await embedder.embed_query([served.request])
    return vector


@in_thread
@transaction.atomic
def _record(noted: Sequence[Served], vectors: Sequence[Sequence[float]], embedder: str) -> None:
    for served, vector in zip(noted, vectors, strict=True):
        feedback.record(served.assistant_id, served.functions, vector, embedder)


writer: BatchWriter[Served] = BatchWriter("uses", _write, gather_s=1.0)
