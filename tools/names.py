"""The names by which models know the tools of MCP servers.

A public name is `{server slug}__{tool}` within the alphabet that LLM APIs accept: `[a-zA-Z0-9_-]{1,64}`.
A name that had to be changed or cut, or that another tool has, ends in a short hash of the full name: the
same at every discovery.
"""

import hashlib
import re
from collections.abc import Container
from itertools import count

from anyascii import anyascii

MAX_LENGTH = 64
_HASH_LENGTH = 8
SLUG_LENGTH = MAX_LENGTH - _HASH_LENGTH - 1
"""The number of the slug's characters with which every public name of a server begins."""
RESERVED_SLUGS = frozenset({"import", "export", "index", "search", "test"})
"""Routes of the management API that stand where a server's slug would, as `/mcp-tools/import`."""
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def public_name(server_slug: str, function: str, *, taken: Container[str] = ()) -> str:
    """Returns the public name of a tool. `taken` holds the folded names (see `folded`) of other tools."""
    full = f"{server_slug}__{function}"
    name = _FOREIGN.sub("_", full)
    if name == full and len(name) <= MAX_LENGTH and folded(name) not in taken:
        return name
    digest = hashlib.sha256(full.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[:SLUG_LENGTH]}_{digest}"


def folded(name: str) -> str:
    """Returns the same for names that some model or client confuses (Strands: `a-b` and `a_b`)."""
    return name.lower().replace("-", "_")


def numbered(slug: str, *, taken: Container[str]) -> str:
    """Returns the slug, with the first number from 2 on that makes it free if it is taken."""
    numbers = (f"{slug[:58]}-{number}" for number in count(2))
    return slug if slug not in taken else next(free for free in numbers if free not in taken)


def slugify(name: str) -> str:
    """Returns a slug for a name of any script: `[a-z][a-z0-9-]{0,62}`. 天气 becomes `tianqi`."""
    slug = re.sub(r"[^a-z0-9]+", "-", anyascii(name).lower()).strip("-")[:63].rstrip("-")
    return slug if slug[:1].isalpha() else f"s-{slug}"[:63].rstrip("-")
