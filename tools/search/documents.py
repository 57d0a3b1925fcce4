"""The texts of rows that are indexed."""

import hashlib
from collections.abc import Iterable

from tools.models import MCPTool, ToolFunction
from tools.search.text import SCHEME, Document, split_name

INDEXED = f"{SCHEME}:"
"""The beginning of `indexed_hash` if the row is indexed by the present scheme."""
_MOST_NAMES = 40


def document(function: ToolFunction) -> Document:
    """Returns the texts of a tool, which is read with its server.

    Overrides by staff replace its own texts.
    """
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
    """Returns the text of a server to embed: its name, its description, and the names of its tools."""
    offered = ", ".join(split_name(name) for name in list(names)[:_MOST_NAMES])
    return f"{split_name(server.name)}: {server.description[:600]} ({offered})"


def text_hash(text: str) -> str:
    """Returns the value of `indexed_hash` for a text."""
    # surrogatepass: a server may send half of a pair, and a hash must not fail on it.
    return INDEXED + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _parameters(function: ToolFunction) -> tuple[str, ...]:
    properties = function.input_schema.get("properties")
    return tuple(properties) if isinstance(properties, dict) else ()


def _examples(function: ToolFunction) -> tuple[str, ...]:
    """Returns the example requests, if they were written for the present definition."""
    examples = function.examples or {}
    if examples.get("definition_hash") != function.definition_hash:
        return ()
    return tuple(examples["requests"])
