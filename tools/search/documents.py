"""From rows to what is indexed of them."""

import hashlib
from collections.abc import Iterable

from tools.models import MCPTool, ToolFunction
from tools.search.text import SCHEME, Document, split_name

INDEXED = f"{SCHEME}:"
"""What `indexed_hash` begins with where the text was read as it is now."""
_MOST_NAMES = 40


def document(function: ToolFunction) -> Document:
    """`function` with its server. What staff wrote in its stead goes before what the server says."""
    return Document(
        server_name=function.server.name,
        server_description=function.server.description,
        name=function.overrides.get("name") or function.name,
        title=function.title,
        description=function.overrides.get("description") or function.description,
        parameters=_parameters(function),
        examples=_examples(function),
    )


def server_text(server: MCPTool, names: Iterable[str]) -> str:
    """What the embedder reads of a server: what it says of itself, and the names of its functions."""
    offered = ", ".join(split_name(name) for name in list(names)[:_MOST_NAMES])
    return f"{split_name(server.name)}: {server.description[:600]} ({offered})"


def text_hash(text: str) -> str:
    return INDEXED + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _parameters(function: ToolFunction) -> tuple[str, ...]:
    properties = function.input_schema.get("properties")
    return tuple(properties) if isinstance(properties, dict) else ()


def _examples(function: ToolFunction) -> tuple[str, ...]:
    """Only those that were written for what the function is now."""
    examples = function.examples or {}
    if examples.get("definition_hash") != function.definition_hash:
        return ()
    return tuple(examples["requests"])
