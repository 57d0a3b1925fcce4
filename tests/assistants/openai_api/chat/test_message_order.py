from typing import Any

import pytest

from assistants.openai_api.chat import message_order, request
from core.errors import InvalidRequest

USER = {"role": "user", "content": "Hello"}
SAID = {"role": "assistant", "content": "Hello."}


def calling(*ids: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": call_id, "type": "function", "function": function} for call_id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "done"}


def check(*messages: dict[str, Any]) -> None:
    message_order.check(request.validate({"model": "m", "messages": list(messages)}).messages)


@pytest.mark.parametrize(
    "messages",
    [
        (USER,),
        (USER, SAID, USER),
        (USER, calling("a"), result("a")),
        (USER, calling("a", "b"), result("b"), result("a"), USER),
        (USER, calling("a"), result("a"), calling("a"), result("a")),
        (USER, {"role": "assistant", "content": "", "tool_calls": []}, USER),
    ],
)
def test_it_accepts_a_conversation_in_order(messages: tuple[dict[str, Any], ...]) -> None:
    check(*messages)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ((), "messages"),
        ((USER, calling("a")), "messages[1].tool_calls"),
        ((USER, calling("a", "b"), result("a")), "messages[1].tool_calls"),
        ((USER, calling("a"), USER, result("a")), "messages[1].tool_calls"),
        ((USER, calling("a"), SAID), "messages[1].tool_calls"),
        ((result("a"),), "messages[0].tool_call_id"),
        ((USER, result("a")), "messages[1].tool_call_id"),
        ((USER, calling("a"), result("b")), "messages[2].tool_call_id"),
        ((USER, calling("a"), result("a"), result("a")), "messages[3].tool_call_id"),
        ((USER, calling("a"), result("a"), SAID, result("a")), "messages[4].tool_call_id"),
        ((USER, calling("a", "a"), result("a")), "messages[1].tool_calls[1].id"),
        ((USER, {"role": "assistant", "content": None}), "messages[1]"),
        ((USER, {"role": "assistant"}), "messages[1]"),
        ((USER,) * 2_001, "messages"),
    ],
)
def test_it_refuses_a_broken_one_and_names_the_message(
    messages: tuple[dict[str, Any], ...], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(*messages)
    assert (refusal.value.status_code, refusal.value.param) == (400, param)
