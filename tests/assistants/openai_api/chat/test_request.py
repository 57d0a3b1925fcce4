from typing import Any

import pytest

from assistants.openai_api.chat.request import ChatCompletionRequest, validate
from core.errors import InvalidRequest

HELLO = {"role": "user", "content": "Hello"}


def validated(**fields: Any) -> ChatCompletionRequest:
    return validate({"model": "m", "messages": [HELLO], **fields})


def refused(**fields: Any) -> tuple[str | None, Any]:
    """(param, code)"""
    with pytest.raises(InvalidRequest) as refusal:
        validated(**fields)
    assert refusal.value.status_code == 400
    return refusal.value.param, refusal.value.get_codes()


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, **fields}}


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("model", 1, "model"),
        ("model", None, "model"),
        ("messages", {}, "messages"),
        ("messages", "Hello", "messages"),
        ("messages", [1], "messages[0]"),
        ("messages", [{"role": "user", "content": 1}], "messages[0].content"),
        ("messages", [{"role": "user", "content": None}], "messages[0].content"),
        ("messages", [{"role": "user", "content": []}], "messages[0].content"),
        ("messages", [HELLO, {"role": "user"}], "messages[1].content"),
        ("messages", [{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ("messages", [{"role": "assistant", "content": 1}], "messages[0].content"),
        ("messages", [{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ("stream", "true", "stream"),
        ("stream", 1, "stream"),
        ("stream_options", True, "stream_options"),
        ("stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        ("temperature", "hot", "temperature"),
        ("temperature", 2.5, "temperature"),
        ("temperature", True, "temperature"),
        ("top_p", -1, "top_p"),
        ("n", 0, "n"),
        ("n", "1", "n"),
        ("max_tokens", -1, "max_tokens"),
        ("max_completion_tokens", 1.5, "max_completion_tokens"),
        ("seed", "x", "seed"),
        ("stop", 1, "stop"),
        ("stop", ["a", 1], "stop[1]"),
        ("stop", ["a"] * 5, "stop"),
        ("tools", {}, "tools"),
        ("tools", [{"type": "function"}], "tools[0].function"),
        ("tools", [{"type": "function", "function": {"name": "no spaces"}}], "tools[0].function.name"),
        ("tools", [{"type": "function", "function": {"name": "x" * 65}}], "tools[0].function.name"),
        ("tool_choice", "sometimes", "tool_choice"),
        ("tool_choice", {"type": "function"}, "tool_choice.function"),
        ("response_format", {"type": "xml"}, "response_format.type"),
        ("parallel_tool_calls", "no", "parallel_tool_calls"),
        ("user", 1, "user"),
        ("reasoning_effort", 3, "reasoning_effort"),
        ("verbosity", "endless", "verbosity"),
        ("logit_bias", {"50256": -101}, "logit_bias.50256"),
        ("service_tier", "two words", "service_tier"),
        ("metadata", {"a": 1}, "metadata.a"),
        ("metadata", {"a": "x" * 513}, "metadata.a"),
        ("metadata", {"x" * 65: "a"}, "metadata." + "x" * 65),
        ("metadata", {str(number): "a" for number in range(17)}, "metadata"),
        ("session_id", "x" * 513, "session_id"),
        ("messages", [HELLO | {"name": 1}], "messages[0].name"),
        ("tool_choice", {"type": "allowed_tools"}, "tool_choice.allowed_tools"),
        ("tool_choice", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
         "tool_choice.allowed_tools.tools"),
        ("tool_choice", {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [tool()]}},
         "tool_choice.allowed_tools.mode"),
    ],
)  # fmt: skip
def test_it_refuses_a_wrong_type_and_names_the_field(field: str, value: Any, param: str) -> None:
    assert refused(**{field: value})[0] == param


def test_it_names_what_is_missing() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        validate({})
    assert (refusal.value.param, refusal.value.get_codes()) == ("model", "missing_required_parameter")


def test_it_names_a_missing_role() -> None:
    assert refused(messages=[{"content": "x"}]) == ("messages[0].role", "missing_required_parameter")


def test_it_refuses_an_unknown_role_in_few_words() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        validated(messages=[{"role": "function", "content": "x"}])
    assert refusal.value.param == "messages[0].role"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 2, "tools": [tool()]}, "n"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"logprobs": True}, "logprobs"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"web_search_options": {"a": 1}}, "web_search_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "messages[0].content[0].type",
        ),
    ],
)
def test_it_refuses_what_it_cannot_do(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields) == (param, "unsupported_parameter")


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "logprobs": False, "logit_bias": {}, "modalities": ["text"], "functions": None},
        {"stream": None, "tools": None, "temperature": None, "stop": None},
        {"metadata": {"a": "b"}, "store": False, "anything": {"else": 1}},
        {"temperature": 1, "top_p": 0},
        {"stop": "END"},
        {"metadata": {"ключ\n" * 10: "wert\u0001 💥" * 30}, "session_id": "Ärger mit\nZeilen"},
    ],
)
def test_it_accepts_fields_that_ask_for_nothing_special(fields: dict[str, Any]) -> None:
    assert validated(**fields)


def test_it_accepts_every_role_and_part() -> None:
    url = "data:image/png;base64,AAAA"
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    request = validated(
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}], "name": "Ann"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "done"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ]
    )
    assert len(request.messages) == 6


def test_sampling_holds_what_was_asked_and_nothing_else() -> None:
    assert validated().sampling == {}
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    asked = {
        "temperature": 0.5,
        "stop": ["a"],
        "seed": 7,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    assert validated(**asked, stream=True).sampling == asked


@pytest.mark.parametrize(
    "limits", [{"max_tokens": 9}, {"max_completion_tokens": 9}, {"max_tokens": 3, "max_completion_tokens": 9}]
)
def test_it_knows_both_names_of_the_token_limit(limits: dict[str, int]) -> None:
    assert validated(**limits).sampling == {"max_completion_tokens": 9}


def test_it_hands_tools_on_as_they_came() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, None], "default": None}}}
    given = tool(parameters=schema, description="Looks.", strict=True)
    assert validated(tools=[given]).tool_definitions == [given]


def test_it_bounds_the_number_of_tools() -> None:
    assert refused(tools=[tool()] * 129) == ("tools", "too_many_tools")


@pytest.mark.parametrize("reference", ["http://169.254.169.254/", "file:///etc/passwd", "other.json#/a"])
def test_it_refuses_a_schema_that_refers_elsewhere(reference: str) -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"$ref": reference}]}}}
    assert refused(tools=[tool(parameters=schema)]) == ("tools[0].function.parameters", "invalid_tool_schema")


def test_it_refuses_a_tool_with_a_schema_that_is_too_large() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(6_000)}}
    assert refused(tools=[tool(parameters=schema)]) == ("tools[0].function.parameters", "invalid_tool_schema")


def test_a_schema_may_refer_to_itself() -> None:
    assert validated(tools=[tool(parameters={"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})])
