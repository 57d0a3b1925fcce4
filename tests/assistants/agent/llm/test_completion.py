import re
from typing import Any

import orjson
import pytest

from assistants.agent.llm.completion import Completion, Listeners
from assistants.errors import UpstreamFailed


def fed(*deltas: Any) -> tuple[Completion, str]:
    """A completion after these deltas, and its text."""
    completion = Completion()
    for delta in deltas:
        completion.feed(orjson.dumps({"choices": [{"index": 0, "delta": delta}]}))
    return completion, completion.text


def fragments(*fragments: dict[str, Any]) -> list[tuple[str, str]]:
    completion, _ = fed(*({"tool_calls": [fragment]} for fragment in fragments))
    return [(call.name, call.arguments) for call in completion.calls]


def fragment(
    index: int | None, name: str | None = None, arguments: Any = None, **more: Any
) -> dict[str, Any]:
    indexed = {} if index is None else {"index": index}
    return {**indexed, "function": {"name": name, "arguments": arguments}, **more}


def test_fragments_of_parallel_calls_are_put_together() -> None:
    begun = [fragment(0, "add", '{"a"', id="x"), fragment(1, "sub", "{", id="y")]
    continued = [fragment(0, None, ":1}"), fragment(1, None, "}")]
    assert fragments(*begun, *continued) == [("add", '{"a":1}'), ("sub", "{}")]


def test_indexes_may_have_gaps() -> None:
    assert fragments(fragment(3, "add", "{}", id="x"), fragment(7, "sub", "{}", id="y")) == [
        ("add", "{}"),
        ("sub", "{}"),
    ]


def test_ids_may_be_missing() -> None:
    assert fragments(fragment(0, "add", "{"), fragment(0, None, "}"), fragment(1, "sub", "{}")) == [
        ("add", "{}"),
        ("sub", "{}"),
    ]


def test_indexes_may_be_missing() -> None:
    assert fragments(fragment(None, "add", "{", id="x"), fragment(None, None, "}")) == [("add", "{}")]


def test_calls_that_share_an_index_are_distinguished_by_id() -> None:
    assert fragments(fragment(0, "add", '{"a":1}', id="x"), fragment(0, "add", '{"a":2}', id="y")) == [
        ("add", '{"a":1}'),
        ("add", '{"a":2}'),
    ]


def test_an_id_and_name_repeated_in_each_fragment_make_one_call() -> None:
    assert fragments(fragment(0, "add", "{", id="x"), fragment(0, "add", "}", id="x")) == [("add", "{}")]


def test_arguments_sent_as_an_object_are_taken() -> None:
    assert fragments(fragment(0, "add", {"a": 1}, id="x")) == [("add", '{"a":1}')]


def test_ids_are_minted_and_differ() -> None:
    completion, _ = fed({"tool_calls": [fragment(0, "add", id="same"), fragment(1, "add", id="same")]})
    first, second = (call.id for call in completion.calls)
    assert first != second
    assert re.fullmatch(r"[a-zA-Z0-9]{9}-same", first)


@pytest.mark.parametrize(
    "delta",
    [None, [], "text", {"content": None}, {"content": 7}, {"tool_calls": None}, {"tool_calls": [None, 3]}],
)
def test_odd_deltas_are_no_text(delta: Any) -> None:
    assert fed(delta)[1] == ""


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]
    assert fed({"content": parts})[1] == "Hi"


def test_a_refusal_is_no_text() -> None:
    completion, text = fed({"refusal": "I will"}, {"refusal": " not."})
    assert (text, completion.refusal) == ("", "I will not.")


def test_only_the_first_choice_counts() -> None:
    choices = [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]
    completion = Completion()
    completion.feed(orjson.dumps({"choices": choices}))
    assert completion.text == "a"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_separate_from_text_and_its_field_is_remembered(name: str) -> None:
    completion, text = fed({name: "Hm.", "content": "Hi"}, {name: " So."})
    assert (text, completion.reasoning, completion.reasoning_field) == ("Hi", "Hm. So.", name)


def test_text_is_passed_on_piece_by_piece_and_never_empty() -> None:
    pieces: list[str] = []
    completion = Completion(Listeners(on_text=pieces.append))
    for delta in ({"content": "Hel"}, {"content": ""}, {"reasoning": "Hm."}, {"content": "lo"}):
        completion.feed(orjson.dumps({"choices": [{"delta": delta}]}))
    assert pieces == ["Hel", "lo"]


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2)),
        ({"prompt_tokens": -3, "completion_tokens": None}, (0, 0)),
        ({"prompt_tokens": "many"}, (0, 0)),
        (None, (0, 0)),
        ([1, 2], (0, 0)),
    ],
)
def test_usage_is_never_negative_or_garbage(usage: Any, tokens: tuple[int, int]) -> None:
    completion = Completion()
    completion.feed(orjson.dumps({"choices": [], "usage": usage}))
    assert (completion.prompt_tokens, completion.completion_tokens) == tokens


def test_the_last_count_of_a_growing_usage_holds() -> None:
    completion = Completion()
    for count in (1, 2, 3):
        completion.feed(orjson.dumps({"usage": {"prompt_tokens": 5, "completion_tokens": count}}))
    assert (completion.prompt_tokens, completion.completion_tokens) == (5, 3)


@pytest.mark.parametrize("payload", [b"{", b"[]", b'"text"', b"null", b"1", b"\xff\xfe", b'{"a":NaN}'])
def test_garbage_is_an_invalid_response(payload: bytes) -> None:
    with pytest.raises(UpstreamFailed) as failure:
        Completion().feed(payload)
    assert failure.value.code == "upstream_invalid_response"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "m", "code": 429}, "upstream_rate_limited"),
        ({"message": "m", "type": "rate_limit_exceeded", "code": None}, "upstream_rate_limited"),
        ({"message": "m", "code": "invalid_api_key"}, "upstream_auth_error"),
        ({"message": "m", "code": "context_length_exceeded"}, "context_length_exceeded"),
        ({"message": "m"}, "upstream_error"),
        ("broken", "upstream_error"),
        ({"code": {"odd": []}}, "upstream_error"),
    ],
)
def test_an_error_in_the_stream_is_reported_by_its_code(error: Any, code: str) -> None:
    with pytest.raises(UpstreamFailed) as failure:
        Completion().feed(orjson.dumps({"error": error}))
    assert failure.value.code == code
