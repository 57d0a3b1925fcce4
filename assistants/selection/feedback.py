"""Relevance feedback: records which functions served which requests of an assistant.

Searches prefer what served similar requests. The vector of a request is added to a sum per assistant and
function; its text is not stored. Rows are written in the background, never while a caller waits.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from assistants.catalogue.entries import AssistantEntry
from assistants.selection import query
from core.background import BatchWriter
from core.database import in_thread_until_done
from tools import feedback
from tools.search import read_as
from tools.search.embedder import Embedder, EmbedderFailed, active

log = logging.getLogger(__name__)

Function = tuple[int, str]
"""The id of its server, and its name."""


@dataclass(frozen=True, slots=True)
class Served:
    """A run of an assistant that called these functions with success."""

    assistant_id: int
    functions: Collection[Function]
    request: str = field(repr=False)
    """The text that is embedded: see `tools.search.read_as`."""


def note(
    assistant: AssistantEntry, messages: Sequence[Mapping[str, Any]], functions: Collection[Function]
) -> None:
    """Records that these functions served a run about `messages`, if its assistant selects and learns."""
    if assistant.selection == "all" or not assistant.learns or not functions:
        return
    if request := read_as(query.from_messages(messages)):
        writer.add(Served(assistant.id, functions, request))


async def _write(noted: Sequence[Served]) -> None:
    """Records nothing where there is no embedder or it fails: feedback is worth no retries."""
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
    # The embedder usually has it in memory: the selection of this run embedded the same text.
    (vector,) = await embedder.embed_query([served.request])
    return vector


@in_thread_until_done
@transaction.atomic
def _record(noted: Sequence[Served], vectors: Sequence[Sequence[float]], embedder: str) -> None:
    for served, vector in zip(noted, vectors, strict=True):
        feedback.record(served.assistant_id, served.functions, vector, embedder)


writer: BatchWriter[Served] = BatchWriter("uses", _write, gather_s=1.0)
