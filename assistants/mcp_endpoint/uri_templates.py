"""Whether a URI may come from a URI template (RFC 6570), to find the server that has it."""

import re
from functools import lru_cache

_EXPRESSION = re.compile(r"\{[^{}]*\}")


def matches(template: str, uri: str) -> bool:
    """Whether `uri` has the literal parts of `template`, in order: it can be an expansion of it.

    The server itself checks what it is asked for; this only says whom to ask. It takes linear time, which a
    pattern made of a hostile template would not.
    """
    first, *others = _literals(template)
    if not others:
        return uri == first
    *inner, last = others
    if not uri.startswith(first) or not uri.endswith(last):
        return False
    position, end = len(first), len(uri) - len(last)
    for literal in inner:
        found = uri.find(literal, position, end)
        if found < 0:
            return False
        position = found + len(literal)
    return position <= end


@lru_cache(maxsize=1024)
def _literals(template: str) -> tuple[str, ...]:
    return tuple(_EXPRESSION.split(template))
