"""Builds the texts that a selection searches with. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools.search.text import split_name

LONGEST = 4_000
"""Characters of a query. Of a longer text, half of them are from its beginning and half from its end."""
SHORT = 40
"""A message of fewer characters ("yes, do it") hardly says what it is about without those before it."""
_LONGEST_CONTEXT = 500
_AUTHORS = ("user", "assistant")
Messages = Sequence[Mapping[str, Any]]


def from_messages(messages: Messages) -> str:
    """Returns the query for a request: the last message of the user that has text, or "" if there is none.

    A short one is preceded by the last text of the user and of the assistant before it. `messages`: OpenAI
    chat messages.
    """
    # From the end: of a long conversation no more is looked at than is needed.
    texts = ((message["role"], text) for message in reversed(messages) if (text := _text(message)))
    request = next((text for author, text in texts if author == "user"), "")
    context = _context(texts) if 0 < len(request) < SHORT else ()
    return cut("\n".join([*context, request]))


def from_model(text: str, unknown_names: Iterable[str]) -> str:
    """Returns the query for the model's intent: its text, and the words of tool names that it made up."""
    return cut("\n".join(filter(None, [text.strip(), *map(split_name, unknown_names)])))


def _context(before: Iterator[tuple[str, str]]) -> list[str]:
    """Returns the end of the last text of the user, then of the assistant. `before`: the latest first."""
    last: dict[str, str] = {}
    for author, text in before:
        last.setdefault(author, text)
        if len(last) == len(_AUTHORS):
            break
    return [last[author][-_LONGEST_CONTEXT:] for author in _AUTHORS if author in last]


def _text(message: Mapping[str, Any]) -> str:
    """Returns the text of a message of the user or the assistant, and "" for any other message."""
    if message["role"] not in _AUTHORS:
        return ""
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [part.get("text") or "" for part in content]
    return "\n".join(parts).strip()


def cut(text: str) -> str:
    """Returns the text, or both of its ends where it is longer than LONGEST.

    Requests with much pasted text name their task before it or after it, seldom in its middle.
    """
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}\n{text[-half:]}"
