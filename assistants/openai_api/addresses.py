"""The addresses of the OpenAI API: which ones look like it, and where a wrong one was meant to go."""

import re

OPERATIONS = "/v1/chat/completions, /v1/responses, /v1/models and /v1/embeddings"

_OPERATION = re.compile(
    r"(?:^|.*/)"  # greedy: of two operations, the last one is meant
    r"(?P<operation>(?:chat(?:/completions?)?|completions)(?:/[^/]+)?"
    r"|embeddings?|models(?P<model>/.+)?|responses(?P<response>/[^/]+(?:/(?:cancel|input_items))?)?)",
    re.IGNORECASE | re.DOTALL,
)
# First words of paths in OpenAI's API reference, and of Azure's and older forms of them.
_WORDS = frozenset(
    {
        *("chat", "completions", "responses", "models", "embeddings", "engines", "deployments", "edits"),
        *("audio", "batches", "conversations", "evals", "files", "fine_tuning", "images", "moderations"),
        *("realtime", "threads", "uploads", "vector_stores", "videos"),
    }
)
_PREFIX = re.compile(r"v\d+(beta)?|api|openai", re.IGNORECASE)
"""What stands before the first word in base URLs of OpenAI clients."""


def is_openai(path: str) -> bool:
    """Tells whether a client of OpenAI's API means this path, though nothing may be there."""
    words = _words(path)
    if words[:1] == ["admin"]:
        return False
    if words[:1] == ["v1"] or "chat/completions" in "/".join(words).lower():
        return True
    before = [True, *(_PREFIX.fullmatch(word) is not None for word in words)]
    return any(word.lower() in _WORDS for word, follows in zip(words, before, strict=False) if follows)


def meant(path: str) -> str | None:
    """Returns the address that was meant by a wrong one: with `/v1` once, without a slash at its end."""
    match = _OPERATION.fullmatch("/".join(_words(path)))
    if match is None:
        return None
    address = f"/v1/{_collection(match)}{match['model'] or match['response'] or ''}"
    return address if address != path else None


def _collection(match: re.Match[str]) -> str:
    operation = match["operation"].lower()
    if operation.startswith(("models", "responses")):
        return operation.partition("/")[0]
    return "embeddings" if operation.startswith("embedding") else "chat/completions"


def _words(path: str) -> list[str]:
    return [word for word in path.split("/") if word]
