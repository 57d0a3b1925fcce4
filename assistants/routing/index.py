"""The vectors by which assistants are chosen, kept in step with what they are. In a worker."""

import hashlib
from collections.abc import Iterator
from typing import Any

from assistants.models import Assistant
from assistants.routing.profiles import Profile, embedded_text
from tools.models import ToolFunction
from tools.search.embedder import Embedder, active
from tools.search.vectors import promote


def refresh() -> int:
    """Embed the assistants that are new, or not what they were: how many. Raises EmbedderFailed.

    An assistant is also chosen by the vectors of its servers, and those tell no change feed of theirs: where
    one has another, the assistant's row is written anew, which does.
    """
    embedder = active()
    if embedder is None:
        return 0
    rows = Assistant.objects.filter(is_enabled=True).prefetch_related("assistant_tools__mcp_tool")
    count = 0
    for row in rows.order_by("pk"):
        text = embedded_text(profile(row))
        digest = _digest(row, text)
        if row.indexed_hash != digest or not _is_embedded(row, embedder):
            _write(row, text, digest, embedder)
            count += 1
    promote(rows, embedder.name)
    return count


def _is_embedded(row: Assistant, embedder: Embedder) -> bool:
    """By this embedder, and of its dimension as far as that is known."""
    places = ((row.embedder, row.embedding), (row.next_embedder, row.next_embedding))
    sizes = [len(vector) for name, vector in places if name == embedder.name and vector is not None]
    return bool(sizes) and embedder.dimensions in {None, *sizes}


def profile(row: Assistant) -> Profile:
    return Profile(row.name, row.description, row.system_prompt, list(_tools(row)))


def _tools(row: Assistant) -> Iterator[tuple[str, str]]:
    """What the assistant offers, in a stable order."""
    links = {link.mcp_tool_id: link for link in row.uses}
    offered = ToolFunction.objects.offered().filter(server__in=links).order_by("server__slug", "name")
    for server_id, name in offered.values_list("server_id", "name"):
        link = links[server_id]
        if not link.functions or name in link.functions:
            yield link.mcp_tool.name, name


def _digest(row: Assistant, text: str) -> str:
    """Of what the row's vector is made of, and of which vectors its servers have."""
    servers = [link.mcp_tool for link in row.uses]
    told = [(each.pk, each.indexed_hash, each.embedder, each.next_embedder) for each in servers]
    return hashlib.sha256(repr((text, told)).encode("utf-8", "surrogatepass")).hexdigest()


def _write(row: Assistant, text: str, digest: str, embedder: Embedder) -> None:
    """Unless the row has changed since. What another embedder made of it before it changed goes."""
    (vector,) = embedder.embed_documents([text])
    is_first = row.embedding is None or row.embedder == embedder.name
    written: dict[str, Any] = {
        "embedding": vector, "embedder": embedder.name, "next_embedding": None, "next_embedder": "",
    }  # fmt: skip
    if not is_first and row.indexed_hash == digest:
        written = {"next_embedding": vector, "next_embedder": embedder.name}
    Assistant.objects.filter(pk=row.pk, version=row.version).update(indexed_hash=digest, **written)
