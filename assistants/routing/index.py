"""Embeds assistants, so that the model `auto` can route requests by meaning. Runs in a worker."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet

from assistants.models import Assistant, AssistantTool
from assistants.routing.profiles import Profile, embedded_text
from tools.models import ToolFunction
from tools.search.embedder import Embedder, active
from tools.search.vectors import promote

Offered = Mapping[int, Sequence[str]]
"""Names of the functions that models may be given, by server id; servers and functions in a stable order."""

_SERVER = [
    f"mcp_tool__{field}"
    for field in ("name", "deleted_at", "indexed_hash", "embedder", "next_embedder")
]  # fmt: skip


def refresh() -> int:
    """Embeds the assistants that are new or have changed, and returns their number. Raises EmbedderFailed.

    An assistant is also routed to by the vectors of its servers, which web processes hold in memory. Their
    feed listens to no vector of a server: where one has changed, writing the assistant's row reports it.
    """
    embedder = active()
    if embedder is None:
        return 0
    rows = _enabled()
    assistants = list(rows.order_by("pk"))
    offered = offered_to(assistants)
    count = 0
    for row in assistants:
        text = embedded_text(profile(row, offered))
        digest = _digest(row, text)
        if row.indexed_hash != digest or not _is_embedded(row, embedder):
            _write(row, text, digest, embedder)
            count += 1
    promote(rows, embedder.name)
    return count


def offered_to(assistants: Iterable[Assistant]) -> Offered:
    """Returns what the servers of these assistants offer, in one query however many there are."""
    servers = {link.mcp_tool_id for row in assistants for link in row.uses}
    rows = ToolFunction.objects.offered().filter(server__in=servers).order_by("server__slug", "name")
    offered: dict[int, list[str]] = {}
    for server_id, name in rows.values_list("server_id", "name"):
        offered.setdefault(server_id, []).append(name)
    return offered


def profile(row: Assistant, offered: Offered) -> Profile:
    return Profile(row.name, row.description, row.system_prompt, list(_tools(row, offered)))


def _enabled() -> QuerySet[Assistant]:
    # Without the servers' vectors and settings: this runs twice a minute over all assistants.
    links = AssistantTool.objects.select_related("mcp_tool").only("assistant_id", "functions", *_SERVER)
    return Assistant.objects.filter(is_enabled=True).prefetch_related(Prefetch("assistant_tools", links))


def _is_embedded(row: Assistant, embedder: Embedder) -> bool:
    """Whether the row has a vector of this embedder, of its dimension as far as that is known."""
    slots = ((row.embedder, row.embedding), (row.next_embedder, row.next_embedding))
    sizes = [len(vector) for name, vector in slots if name == embedder.name and vector is not None]
    return bool(sizes) and embedder.dimensions in {None, *sizes}


def _tools(row: Assistant, offered: Offered) -> Iterator[tuple[str, str]]:
    """Yields the names of server and function of all that the assistant may use, in a stable order."""
    links = {link.mcp_tool_id: link for link in row.uses}
    for server_id, names in offered.items():
        if link := links.get(server_id):
            for name in names:
                if not link.functions or name in link.functions:
                    yield link.mcp_tool.name, name


def _digest(row: Assistant, text: str) -> str:
    """Returns a hash of the embedded text, and of which vectors the servers of the assistant have."""
    servers = [link.mcp_tool for link in row.uses]
    vectors = [(each.pk, each.indexed_hash, each.embedder, each.next_embedder) for each in servers]
    return hashlib.sha256(repr((text, vectors)).encode("utf-8", "surrogatepass")).hexdigest()


def _write(row: Assistant, text: str, digest: str, embedder: Embedder) -> None:
    """Stores the vector of `text`, unless the row has changed meanwhile.

    A vector that another embedder has made of the same text stays, and the new one goes into the second slot
    (see `tools.search.vectors`). One that was made of an older text is overwritten.
    """
    (vector,) = embedder.embed_documents([text])
    is_first = row.embedding is None or row.embedder == embedder.name
    written: dict[str, Any] = {
        "embedding": vector, "embedder": embedder.name, "next_embedding": None, "next_embedder": "",
    }  # fmt: skip
    if not is_first and row.indexed_hash == digest:
        written = {"next_embedding": vector, "next_embedder": embedder.name}
    # By the version: embedding takes a while, and an edit meanwhile must not be marked as embedded.
    Assistant.objects.filter(pk=row.pk, version=row.version).update(indexed_hash=digest, **written)
