"""What a selection searches with. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools.search.text import split_name

LONGEST = 4_000
"""Characters of a text that are searched with: half of them from its beginning, half from its end."""
SHORT = 40
"""Characters of a message that hardly speaks for itself."""
_LONGEST_CONTEXT = 500
Messages = Sequence[Mapping[str, Any]]


def said(messages: Messages) -> str:
    """The request: the user's last message that has words, a short one after what was said before it.

    `messages`: OpenAI chat messages. "" where there is nothing to search with.
    """
    spoken = [(message["role"], text) for message in messages if (text := _text(message))]
    while spoken and spoken[-1][0] != "user":
        spoken.pop()
    if not spoken:
        return ""
    *before, (_, request) = spoken
    context = _context(before) if len(request) < SHORT else ()
    return cut("\n".join([*context, request]))


def wanted(text: str, unknown_names: Iterable[str]) -> str:
    """What the model asks for: by what it says, and by its calls of tools that there are none of."""
    return cut("\n".join(filter(None, [text.strip(), *map(split_name, unknown_names)])))


def _context(before: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The last words of user and assistant."""
    for role in ("user", "assistant"):
        text = next((text for spoke, text in reversed(before) if spoke == role), "")
        if text:
            yield text[-_LONGEST_CONTEXT:]


def _text(message: Mapping[str, Any]) -> str:
    """Of what user and assistant say to each other."""
    if message["role"] not in {"user", "assistant"}:
        return ""
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [part.get("text") or "" for part in content]
    return "\n".join(parts).strip()


def cut(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}\n{text[-half:]}"
