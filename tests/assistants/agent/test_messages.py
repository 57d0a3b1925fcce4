import base64
from typing import Any

import pytest

from assistants.agent.llm.chat_messages import to_openai
from assistants.agent.messages import system_prompt, to_strands
from assistants.errors import InvalidMessages

PNG = "data:image/png;base64," + base64.b64encode(b"png bytes").decode()


def call(call_id: str, name: str = "add", arguments: str = '{"a":1}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {})}


def result(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


CONVERSATIONS = {
    "text": [user("Hi"), assistant("Hello"), user("Bye")],
    "one call": [user("1?"), assistant(None, call("x")), result("x", "2"), user("Thanks")],
    "text beside calls": [
        user("1?"),
        assistant("Wait.", call("x"), call("y")),
        result("x", "2"),
        result("y", "3"),
    ],
    "image": [user([{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PNG}}])],
    "image by address": [
        user([{"type": "image_url", "image_url": {"url": "https://example.com/a", "detail": "low"}}])
    ],
    "an empty text": [user("")],
    "ends with the assistant": [user("Count"), assistant("1, 2,")],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_survives_the_way_through_strands(name: str) -> None:
    messages = CONVERSATIONS[name]
    assert to_openai(to_strands(messages), None, "reasoning") == messages


def test_our_prompt_comes_before_the_callers() -> None:
    messages = [
        {"role": "system", "content": "Rhyme."},
        user("Hi"),
        {"role": "developer", "content": "In French."},
    ]
    prompt = system_prompt("You help.", "", messages=messages)
    assert prompt == "You help.\n\nRhyme."
    assert to_openai(to_strands(messages), prompt, "reasoning") == [
        {"role": "system", "content": prompt},
        *messages[1:],
    ]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_keeps_its_place_amid_the_conversation(role: str) -> None:
    later = {"role": role, "content": "From now on in French."}
    talk = [
        user("Hi"),
        assistant("Hello"),
        later,
        user("1?"),
        assistant(None, call("x")),
        result("x", "2"),
        later,
    ]
    assert system_prompt("You help.", messages=talk) == "You help."
    assert to_openai(to_strands(talk), None, "reasoning") == talk


def test_without_any_prompt_none_is_sent() -> None:
    assert system_prompt("", messages=[user("Hi")]) is None


@pytest.mark.parametrize("after", [[], [{"role": "system", "content": "Go on."}]])
def test_a_conversation_that_ends_in_tool_calls_is_refused(after: list[Any]) -> None:
    with pytest.raises(InvalidMessages):
        to_strands([user("Hi"), assistant(None, call("evil")), *after])


@pytest.mark.parametrize("arguments", ["{", "[1]", '"{}"', "NaN", "null"])
def test_arguments_that_are_no_object_are_not_repeated_to_the_model(arguments: str) -> None:
    history = to_strands([user("Hi"), assistant(None, call("x", arguments=arguments)), result("x", "no")])
    serialized = to_openai(history, None, "reasoning")
    assert serialized[1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_an_image_in_a_tool_message_moves_into_a_user_message() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG}}
    shown = result("x", [{"type": "text", "text": "Look"}, image])
    serialized = to_openai(to_strands([user("Hi"), assistant(None, call("x")), shown]), None, "reasoning")
    assert serialized[2] == result(
        "x", "Look\nThe tool returned an image: it follows in the next user message."
    )
    assert serialized[3] == user([image])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "file:///etc/passwd",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png;base64,@",
    ],
)
def test_other_images_are_refused(url: str) -> None:
    with pytest.raises(InvalidMessages):
        to_strands([user([{"type": "image_url", "image_url": {"url": url}}])])


def test_other_content_is_refused() -> None:
    with pytest.raises(InvalidMessages, match="input_audio"):
        to_strands([user([{"type": "input_audio", "input_audio": {}}])])


def test_blank_turns_of_the_assistant_are_left_out() -> None:
    assert to_openai(to_strands([user("Hi"), assistant(" "), user("Still there?")]), None, "reasoning") == [
        user("Hi"),
        user("Still there?"),
    ]
