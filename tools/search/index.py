"""The index of tools: brings it up to date, piece by piece, and says how far it is.

What is to be done stands in the rows, so that a run may be cut off anywhere. Words come first: they need
nobody else, and a search can do with them alone.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import QuerySet

from core.database import advisory_lock
from tools.models import EmbedderFailure, MCPTool, ToolFunction
from tools.search import embedder, lexical, vectors
from tools.search.documents import document, server_text
from tools.search.embedder import Embedder, EmbedderFailed
from tools.search.searching import NO_EMBEDDER
from tools.search.text import embedded_texts
from tools.search.vectors import Weighted

log = logging.getLogger(__name__)
Piece = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the present functions: whose words are in the index, and whose vectors by `embedder` ("": none).

    `degraded`: why vectors are missing, or "".
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
    active = embedder.active()
    present = _functions()
    total, with_vector = present.count(), _embedded(present, active)
    outdated = lexical.pending().filter(removed_at=None).count()
    name = active.name if active else ""
    degraded = _why_missing(active) if with_vector < total else ""
    return Progress(total, total - outdated, with_vector, name, degraded)


def work(*, for_s: float, promote: bool = True) -> bool:
    """Index what is not, for this long. Whether there may be more to do. Never raises EmbedderFailed.

    Does nothing where another process is at it. `promote`: have vectors that are complete take the place of
    another embedder's.
    """
    active = embedder.active()
    with advisory_lock(f"tools.search.index {active.name if active else ''}") as is_acquired:
        has_more = is_acquired and _work(active, time.monotonic() + for_s, promote=promote)
    # Who told of news meanwhile was turned away.
    return has_more or (is_acquired and lexical.pending().exists())


def forget_vectors() -> None:
    """Those of the active embedder, to have them made anew."""
    if active := embedder.active():
        vectors.forget(_functions(), active.name)
        vectors.forget(_servers(), active.name)


def failure() -> str:
    """Why the active embedder failed last; "" since it has answered."""
    active = embedder.active()
    noted = EmbedderFailure.objects.filter(embedder=active.name).first() if active else None
    return noted.reason if noted else ""


def forget_failure() -> None:
    if active := embedder.active():
        EmbedderFailure.objects.filter(embedder=active.name).delete()


def _work(active: Embedder | None, deadline: float, *, promote: bool) -> bool:
    pieces: list[Piece] = [lexical.index_some, _forget_outdated_servers]
    if not active:
        return _done(pieces, deadline)
    pieces += [partial(_embed_functions, active), partial(_embed_servers, active)]
    if promote:
        pieces += [partial(_promote, active)]
    try:
        return _done(pieces, deadline)
    except EmbedderFailed as failed:
        _note(active, failed)
    return False


def _done(pieces: Sequence[Piece], deadline: float) -> bool:
    """Whether the time was up before all were done."""
    for piece in pieces:
        while piece():
            if time.monotonic() > deadline:
                return True
    return False


def _embed_functions(active: Embedder) -> int:
    rows = _functions().select_related("server").defer("output_schema", "replaced", "words")
    return _noting_success(active, vectors.embed_some(rows, _function_texts, active))


def _embed_servers(active: Embedder) -> int:
    return _noting_success(active, vectors.embed_some(_servers(), _server_texts, active))


def _forget_outdated_servers() -> int:
    return vectors.forget_outdated(_servers(), _server_text)


def _promote(active: Embedder) -> int:
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


def _why_missing(active: Embedder | None) -> str:
    if active is None:
        return NO_EMBEDDER
    return failure() or "Not all tools are embedded yet."


def _noting_success(active: Embedder, embedded: int) -> int:
    if embedded:
        EmbedderFailure.objects.filter(embedder=active.name).delete()
    return embedded


def _note(active: Embedder, failed: EmbedderFailed) -> None:
    log.warning("Tools are found by their words alone: %s failed: %s", active.name, failed.reason)
    EmbedderFailure.objects.update_or_create(embedder=active.name, defaults={"reason": failed.reason})
