"""What counts as an attempt to decide by a code, and where the answer is that it is about."""

from typing import Any

import pytest

from assistants.approvals import attempts

NOTICE = attempts.not_accepted(17, attempts.WRONG, 4)


@pytest.mark.parametrize(
    "text",
    [
        "approve apc-abcdefgh2345", " APPROVE\nAPC-ABCDEFGH2345 ", "approve apc-abcdefgh2345.",
        "approve apc-abcdefgh", "approve abcdefgh2345", "reject: `abcdefgh2345`", "apc_abcdefgh2345",
        "yes, apc-abcdefgh2345", "approve (code)!",
    ],
)  # fmt: skip
def test_an_attempt_is_hardly_more_than_a_code(text: str) -> None:
    assert attempts.is_attempt(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "approve", "approve it", "reject everything", "approve immediately",
        "What is apc-abcdefgh2345 good for?", "Give this chat a title:\n\n> approve apc-abcdefgh2345",
        "Buy an apc ups", "(code of conduct)",
    ],
)  # fmt: skip
def test_other_texts_are_for_the_model(text: str) -> None:
    assert not attempts.is_attempt(text)


def said(role: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **fields}


@pytest.mark.parametrize(
    ("between", "is_about_it"),
    [
        ([], True),
        ([("user", "approve apc-aaaaaaaaaaaa"), ("assistant", NOTICE)], True),
        ([("user", "approve apc-aaaaaaaaaaaa."), ("assistant", f"{NOTICE}\n{NOTICE}")] * 2, True),
        ([("user", "Hm?"), ("assistant", NOTICE)], False),
        ([("user", "approve apc-aaaaaaaaaaaa"), ("assistant", f"Well. {NOTICE}")], False),
        ([("user", "approve apc-aaaaaaaaaaaa"), ("assistant", "")], False),
        ([("tool", "approve apc-aaaaaaaaaaaa"), ("assistant", NOTICE)], False),
    ],
)
def test_a_decision_is_about_the_answer_before_failed_attempts(between: Any, is_about_it: bool) -> None:
    messages = [said("user", "Go."), said("assistant", "Held."), *(said(*each) for each in between)]
    assert (attempts.asked_before(messages, len(messages) - 1) == 1) == is_about_it
    assert attempts.failed_after(messages, 1) == (len(between) if is_about_it else 0)
