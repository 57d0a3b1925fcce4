"""The index of tools: brings it up to date, step by step, and reports its progress.

The rows themselves say what is left to do (`indexed_hash`, and the embedder's name beside a vector), so that
a run may be cut off anywhere. The lexical side comes first: it needs no embedder, and a search can do with it
alone.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from core.database import advisory_lock
from tools.models import EmbedderFailure, MCPTool, ToolFunction
from tools.search import embedder, lexical, vectors
from tools.search.documents import document, server_text
from tools.search.embedder import Embedder, EmbedderFailed
from tools.search.searching import NO_EMBEDDER
from tools.search.text import embedded_texts
from tools.search.vectors import Weighted

log = logging.getLogger(__name__)
Step = Callable[[], int]
"""Indexes a batch, and returns the number of rows: 0 once nothing is left."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers of present tools, of those in the lexical index, and of those with a vector by `embedder`.

    `embedder` is "" without one. `degraded`: why vectors are missing, or "".
    """

    functions: int
    indexed: int
    embedded: int
    embedder: str
    degraded: str

    @property
    def is_complete(self) -> bool:
        return self.functions == self.indexed == (self.embedded if self.embedder else self.functions)


def progress() -> Progress:
    """Returns the progress for the embedder of this process's settings."""
    active = embedder.active()
    present = _functions()
    total, with_vector = present.count(), _embedded(present, active)
    outdated = lexical.pending().filter(removed_at=None).count()
    name = active.name if active else ""
    degraded = _reason_for_missing(active) if with_vector < total else ""
    return Progress(total, total - outdated, with_vector, name, degraded)


def work(*, for_s: float, promote: bool = True) -> bool:
    """Indexes for up to this many seconds. Returns whether there may be more to do.

    Does nothing if another process is indexing. A failure of the embedder is stored, not raised. `promote`:
    replace another embedder's vectors once those of this one are complete.
    """
    active = embedder.active()
    with advisory_lock(f"tools.search.index {active.name if active else ''}") as is_acquired:
        has_more = is_acquired and _work(active, time.monotonic() + for_s, promote=promote)
    # A process that was asked to index meanwhile did not get the lock, and went away.
    return has_more or (is_acquired and lexical.pending().exists())


def forget_vectors() -> None:
    """Deletes the vectors of the active embedder, so that they are made anew."""
    if active := embedder.active():
        vectors.forget(_functions(), active.name)
        vectors.forget(_servers(), active.name)


def failure() -> str:
    """Returns why the active embedder failed last; "" if it has answered since."""
    active = embedder.active()
    stored = EmbedderFailure.objects.filter(embedder=active.name).first() if active else None
    return stored.reason if stored else ""


def forget_failure() -> None:
    """Deletes the stored failure of the active embedder."""
    if active := embedder.active():
        EmbedderFailure.objects.filter(embedder=active.name).delete()


def _work(active: Embedder | None, deadline: float, *, promote: bool) -> bool:
    steps: list[Step] = [lexical.index_some, _forget_outdated_servers]
    if not active:
        return _run(steps, deadline)
    steps += [partial(_embed_functions, active), partial(_embed_servers, active)]
    if promote:
        steps += [partial(_promote, active)]
    try:
        return _run(steps, deadline)
    except EmbedderFailed as failed:
        _store_failure(active, failed)
    return False


def _run(steps: Sequence[Step], deadline: float) -> bool:
    """Runs each step until nothing is left for it. Returns whether the time was up before."""
    for step in steps:
        while step():
            if time.monotonic() > deadline:
                return True
    return False


def _embed_functions(active: Embedder) -> int:
    rows = _functions().select_related("server").defer("output_schema", "replaced", "words")
    return _clearing_failure(active, vectors.embed_some(rows, _function_texts, active))


def _embed_servers(active: Embedder) -> int:
    return _clearing_failure(active, vectors.embed_some(_servers(), _server_texts, active))


def _forget_outdated_servers() -> int:
    return vectors.forget_outdated(_servers(), _server_text)


def _promote(active: Embedder) -> int:
    """A step that does all at once: it returns 0."""
    if promoted := sum(vectors.promote(rows, active.name) for rows in (_functions(), _servers())):
        log.info("Searches go by the vectors of %s now: %d rows.", active.name, promoted)
    return 0


def _functions() -> QuerySet[ToolFunction]:
    return ToolFunction.objects.present().filter(server__deleted_at=None)


def _servers() -> QuerySet[MCPTool]:
    return MCPTool.objects.present()


def _function_texts(function: ToolFunction) -> Weighted:
    return embedded_texts(document(function))


def _server_text(server: MCPTool) -> str:
    names = server.functions.present().order_by("name").values_list("name", flat=True)
    return server_text(server, names)


def _server_texts(server: MCPTool) -> Weighted:
    return [(_server_text(server), 1.0)]


def _embedded(present: QuerySet[ToolFunction], active: Embedder | None) -> int:
    return present.filter(vectors.carrying(active.name)).count() if active else 0


def _reason_for_missing(active: Embedder | None) -> str:
    if active is None:
        return NO_EMBEDDER
    return failure() or gettext_noop("Not all tools are embedded yet.")


def _clearing_failure(active: Embedder, embedded: int) -> int:
    if embedded:
        EmbedderFailure.objects.filter(embedder=active.name).delete()
    return embedded


def _store_failure(active: Embedder, failed: EmbedderFailed) -> None:
    log.warning("Tools are found by their words alone: %s failed: %s", active.name, failed.reason)
    EmbedderFailure.objects.update_or_create(embedder=active.name, defaults={"reason": failed.reason})
