"""The sentence that ends an answer while a call waits: how it is written, found again and cut out. Pure.

Clients send our answers back, quote them to title generators and paste them. So sentences and codes are cut
out of whatever a model, a selection, a memory or a filter is given, in any role. The number in a sentence is
public and proves nothing: what waits is found by the conversation before it (see `transcripts`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

_BEGIN = "[Waiting for approval "
_SENTENCE = re.compile(
    r"\[Waiting for approval (\d{1,18}): (?:[^\[\]]|\[[0-9a-f:.%]{2,64}\]){0,2000}\]", re.IGNORECASE
)
"""PUBLIC_URL may have an IPv6 address, in brackets of its own."""
_CODE = re.compile(r"(?<![a-z0-9])apc-[a-z2-7]{12}(?![a-z0-9])", re.IGNORECASE)
_DECISION = re.compile(r"(approve|reject) (apc-[a-z2-7]{12})", re.IGNORECASE)
_MARKS = ("apc-", _BEGIN.lower())
_NOT_IN_A_NAME = re.compile(r"[\[\]`\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_IMAGES = "image_url"
TAG = "approval"
"""The field of a turn of the model whose call is that of the approval with this number."""
CUT = "(code)"
"""What stands for a code where it was."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits. With `code` its caller decides; without it staff do."""

    number: int
    server: str
    function: str
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a user's message decides: its whole text is `approve CODE` or `reject CODE`."""

    approves: bool
    code: str = field(repr=False)


def written(calls: Sequence[Waiting]) -> str:
    """Returns the sentences for the caller, a line each. They hold the codes."""
    return "\n".join(map(_sentence, calls))


def address(number: int) -> str:
    """Returns where staff decide about a call; a path where PUBLIC_URL does not say where the console is."""
    return f"{settings.PUBLIC_URL}{path(number)}"


def path(number: int) -> str:
    return f"/admin/assistants/approval/{number}/"


def _sentence(call: Waiting) -> str:
    what = f"{_name(call.function)} of {_name(call.server)}"
    if call.code:
        how = f"Answer `approve {call.code}` or `reject {call.code}`, and nothing else, to decide."
    else:
        how = f"It is decided at {address(call.number)} - then send any message to go on."
    return told(call.number, f"{what} is not called before somebody agrees. {how}")


def _name(name: str) -> str:
    """A server names its tools: such a name must not end the sentence, or look like a code."""
    return without_codes(_NOT_IN_A_NAME.sub(" ", name))[:200]


def mark(number: int) -> str:
    """Returns what stands in a conversation for an item that asks its caller about a call."""
    return told(number, "its caller was asked.")


def told(number: int, what: str) -> str:
    """Returns a sentence of ours about a call that waits, in the form in which it is cut out again."""
    return f"{_BEGIN}{number}: {what}]"


def numbers(text: str) -> list[int]:
    """Returns the numbers of the sentences in a text."""
    return [int(match[1]) for match in _SENTENCE.finditer(text)] if _is_marked(text) else []


def has_code(text: str, code: str) -> bool:
    return code.lower() in text.lower()


def decision(text: str) -> Decision | None:
    """Returns what a message decides; None where its text is anything else."""
    match = _DECISION.fullmatch(" ".join(text.split()))
    return Decision(match[1].lower() == "approve", match[2].lower()) if match else None


def without_codes(text: str) -> str:
    """Returns the text as it may be stored."""
    return _CODE.sub(CUT, text) if _MARKS[0] in text.lower() else text


def without_codes_in(value: Any) -> Any:
    """Returns JSON as it may be stored."""
    if isinstance(value, str):
        return without_codes(value)
    if isinstance(value, Mapping):
        return {name: each if name == _IMAGES else without_codes_in(each) for name, each in value.items()}
    return [without_codes_in(each) for each in value] if isinstance(value, list) else value


def cut(text: str) -> str:
    """Returns the text without our sentences and codes."""
    return _CODE.sub(CUT, _SENTENCE.sub("", text)).strip() if _is_marked(text) else text


def cut_from(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a message without our sentences and codes, wherever they stand in it. Images stay."""
    cleaned: Mapping[str, Any] = cut_in(message)
    return cleaned


def cut_from_all(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Returns messages likewise: the very same where none holds a sentence or a code, as nearly always."""
    return [cut_from(message) for message in messages] if any(map(is_marked, messages)) else messages


def cut_in(value: Any) -> Any:
    """Returns JSON without our sentences and codes."""
    return _cut_deep(value) if _holds_mark(value) else value


def is_marked(message: Mapping[str, Any]) -> bool:
    """Tells whether a message holds one of our sentences, or a code."""
    return _holds_mark(message)


def _holds_mark(value: Any) -> bool:
    """Tells whether one of the texts in JSON is marked. Images are not looked at."""
    # Each text of each conversation passes here: a loop, and no generator, which would take twice as long.
    if isinstance(value, str):
        return _is_marked(value)
    if isinstance(value, dict):
        for name, each in value.items():  # noqa: SIM110
            if name != _IMAGES and _holds_mark(each):
                return True
        return False
    return isinstance(value, list) and any(map(_holds_mark, value))


def _is_marked(text: str) -> bool:
    # A character is found fifty times as quickly as a word, and many texts have neither of the two.
    if "-" not in text and "[" not in text:
        return False
    lowered = text.lower()
    return any(mark in lowered for mark in _MARKS)


def _cut_deep(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, Mapping):
        return {name: each if name == _IMAGES else _cut_deep(each) for name, each in value.items()}
    return [_cut_deep(each) for each in value] if isinstance(value, list) else value
