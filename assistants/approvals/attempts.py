"""Messages by which somebody meant to decide, and what is answered where their code is not accepted. Pure.

The answer is ours alone, in the form of a sentence, so that it is cut out of what models are given. The code
stays the one that was shown: whoever tries again finds it in the answer that asked.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistants.approvals import sentences, transcripts

MOST_WORDS = 3
_CODE_LIKE = re.compile(r"\bapc[\W_]?[a-z0-9]{4,}|" + re.escape(sentences.CUT), re.IGNORECASE)
_WITHOUT_PREFIX = re.compile(r"\W*(?:approve|reject)\W+(?=[a-z]*[0-9])[a-z0-9]{8,20}\W*", re.IGNORECASE)
WRONG = "it is not the code that stands in the answer above"
NOT_ALONE = (
    "a decision is the word approve or reject, one space and the code as it stands in the answer above, and "
    "nothing else, not even a full stop"
)
Messages = Sequence[Mapping[str, Any]]


def is_attempt(text: str) -> bool:
    """Tells whether a message means to decide by a code: it is hardly more than something like one.

    Longer texts quote codes, as what asks for a chat's title does: they decide nothing, and mean nothing.
    """
    words = " ".join(text.split())
    is_short = words.count(" ") < MOST_WORDS
    return is_short and bool(_CODE_LIKE.search(words) or _WITHOUT_PREFIX.fullmatch(words))


def not_accepted(number: int, why: str, tries_left: int) -> str:
    """Returns what is answered. `tries_left`: wrong codes that do not yet leave the decision to staff."""
    if tries_left:
        tries = "1 try is left" if tries_left == 1 else f"{tries_left} tries are left"
        return sentences.told(number, f"the code was not accepted: {why}. {tries}, then staff decide.")
    return sentences.told(
        number,
        "the code was not accepted, and no tries are left: staff decide about this call now, at "
        f"{sentences.address(number)}",
    )


def asked_before(messages: Messages, at: int) -> int:
    """Returns where the answer is that the message behind `at` is about: `at`, or before failed attempts."""
    while at >= 2 and _has_failed(messages[at - 1], messages[at]):
        at -= 2
    return at


def failed_after(messages: Messages, at: int) -> int:
    """Returns how many messages behind an answer are failed attempts to decide, and our answers to them."""
    end = at + 1
    while end + 1 < len(messages) and _has_failed(messages[end], messages[end + 1]):
        end += 2
    return end - at - 1


def _has_failed(said: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Tells whether an answer is only our word that a code was not accepted."""
    if (said["role"], answer["role"]) != ("user", "assistant") or answer.get("tool_calls"):
        return False
    text = transcripts.text_of(answer)
    return bool(sentences.numbers(text)) and not sentences.cut(text) and is_attempt(transcripts.text_of(said))
