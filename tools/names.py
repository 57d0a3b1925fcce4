"""The names by which models know the tools of MCP servers.

A public name is `{server slug}__{function}` within the alphabet that LLM APIs accept: `[a-zA-Z0-9_-]{1,64}`.
One that had to be changed or cut, or that another function has, ends in a short hash of the full name: the
same at every discovery.
"""

import hashlib
import re
from collections.abc import Container
from itertools import count

MAX_LENGTH = 64
_HASH_LENGTH = 8
SLUG_KEPT = MAX_LENGTH - _HASH_LENGTH - 1
"""As many characters of the slug as begin every public name of a server."""
RESERVED_SLUGS = frozenset({"import", "export", "index", "search", "test"})
"""They stand where a server's slug would in the addresses of the management API."""
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def public_name(server_slug: str, function: str, *, taken: Container[str] = ()) -> str:
    """The public name of a function. `taken` holds folded names (see `folded`) that others have."""
    full = f"{server_slug}__{function}"
    name = _FOREIGN.sub("_", full)
    if name == full and len(name) <= MAX_LENGTH and folded(name) not in taken:
        return name
    digest = hashlib.sha256(full.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[:SLUG_KEPT]}_{digest}"


def folded(name: str) -> str:
    """Names that fold alike are taken for the same by some model or client (Strands: `a-b` and `a_b`)."""
    return name.lower().replace("-", "_")


def numbered(slug: str, *, taken: Container[str]) -> str:
    """The slug itself, or with the first number from 2 on that makes it a free one."""
    numbers = (f"{slug[:58]}-{number}" for number in count(2))
    return slug if slug not in taken else next(free for free in numbers if free not in taken)


def slugify(name: str) -> str:
    """A slug made from a name for people: `[a-z][a-z0-9-]{0,62}`."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
    return slug if slug[:1].isalpha() else f"s-{slug}"[:63].rstrip("-")
