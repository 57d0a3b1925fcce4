"""What real LLM services attach to their turns and calls, and how they number their calls."""

from dataclasses import replace
from typing import Any

import pytest

from assistants.agent.llm import call_ids
from assistants.errors import UpstreamFailed
from assistants.events import (
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from tests.assistants.agent.conftest import Assistant, text
from tests.assistants.agent.turns import SIGNATURE, WEATHER, call, client_calls, sse, whole


def sent_turn(assistant: Assistant, request: int = 1) -> dict[str, Any]:
    """The first turn of the model as its service got it back."""
    messages = assistant.bodies()[request]["messages"]
    return dict(next(message for message in messages if message["role"] == "assistant"))


async def test_what_is_attached_to_a_call_and_a_turn_returns(assistant: Assistant) -> None:
    first = call("ghost", "", index=0, id="function-call-1", extra_content=SIGNATURE)
    first["function"]["vendor_note"] = "n"
    rest = {"index": 0, "function": {"arguments": "{}"}, "late": {"a": 1}}
    thought = {"type": "reasoning.text", "index": 0}
    state = {"vendor_state": {"step": 1}, "reasoning_details": [{**thought, "text": "Hm"}]}
    more = {"reasoning_details": [{**thought, "text": ".", "signature": "s"}]}
    assistant.script(sse({**state, "tool_calls": [first]}, {**more, "tool_calls": [rest]}), {"text": "Done"})
    await assistant.events(client_tools=WEATHER)
    turn = sent_turn(assistant)
    assert turn["vendor_state"] == {"step": 1}
    assert turn["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hm.", "index": 0, "signature": "s"}
    ]
    [returned] = turn["tool_calls"]
    assert (returned["extra_content"], returned["late"]) == (SIGNATURE, {"a": 1})
    assert returned["function"] == {"name": "ghost", "arguments": "{}", "vendor_note": "n"}


@pytest.mark.parametrize("step", [sse, whole])
async def test_a_service_gets_its_own_ids_back(assistant: Assistant, step: Any) -> None:
    ids = ["functions.ghost:0", "call_" + "x" * 60]
    assistant.script(
        step({"tool_calls": [call(id=each, index=index) for index, each in enumerate(ids)]}),
        {"text": "Done"},
    )
    await assistant.events(client_tools=WEATHER)
    messages = assistant.bodies()[1]["messages"]
    assert [each["id"] for each in sent_turn(assistant)["tool_calls"]] == ids
    assert [each["tool_call_id"] for each in messages if each["role"] == "tool"] == ids


async def test_callers_get_ids_of_openais_form_and_what_is_attached(assistant: Assistant) -> None:
    for upstream_id in ("functions.weather:0", "a b/ü", "c" * 200, ""):
        given = call("weather", id=upstream_id, index=0, extra_content=SIGNATURE)
        assistant.script(sse({"tool_calls": [given]}))
        [returned] = client_calls(await assistant.events(client_tools=WEATHER))
        assert 0 < len(returned.id) <= 40
        assert returned.id.replace("-", "").replace("_", "").isalnum()
        assert returned.id.isascii()
        assert returned.attached == {"extra_content": SIGNATURE}


async def test_a_callers_turn_goes_to_the_service_as_it_came_from_there(assistant: Assistant) -> None:
    call_id = call_ids.mint("functions.weather:0")
    turn = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "mcp_connector": {"rounds": 1},
        "reasoning_content": "Hm.",
        "vendor_state": "s",
        "tool_calls": [call("weather", id=call_id, extra_content=SIGNATURE)],
    }
    result = {"role": "tool", "tool_call_id": call_id, "content": "sun"}
    assistant.script({"text": "Done"})
    await assistant.events([{"role": "user", "content": "Hi"}, turn, result], client_tools=WEATHER)
    assert assistant.bodies()[0]["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "vendor_state": "s",
            "tool_calls": [call("weather", id="functions.weather:0", extra_content=SIGNATURE)],
        },
        {"role": "tool", "tool_call_id": "functions.weather:0", "content": "sun"},
    ]


async def test_another_service_that_takes_over_gets_no_attachments(assistant: Assistant) -> None:
    other = Assistant(assistant.llm)
    # The same stand-in by another spelling, which is another service to the run.
    address = other.endpoint.base_url.replace("http:", "HTTP:")
    fallback = replace(other.endpoint, base_url=address)
    first = call(id="functions.ghost:0", index=0, extra_content=SIGNATURE)
    assistant.script(sse({"vendor_state": 1, "tool_calls": [first]}), {"status": 400, "body": "{}"})
    other.script({"text": "Done"})
    assert text(await assistant.events(client_tools=WEATHER, fallback=fallback)) == "Done"
    turn = next(each for each in other.bodies()[0]["messages"] if each["role"] == "assistant")
    assert set(turn) == {"role", "content", "tool_calls"}
    assert set(turn["tool_calls"][0]) == {"id", "type", "function"}
    assert turn["tool_calls"][0]["id"].isalnum()


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
    ],
)
async def test_reasoning_reaches_the_caller_and_returns_in_its_field(
    assistant: Assistant, delta: dict[str, Any]
) -> None:
    assistant.script(sse(delta, {"tool_calls": [call(index=0, id="x")]}), {"text": "So."})
    events = await assistant.events(client_tools=WEATHER)
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["Hm."]
    assert text(events) == "So."
    turn = sent_turn(assistant)
    assert {name: turn.get(name) for name in delta} == delta
    assert not {"reasoning", "reasoning_content"} & (turn.keys() - delta.keys())


async def test_a_refusal_is_no_text(assistant: Assistant) -> None:
    assistant.script(sse({"refusal": "I will"}, {"refusal": " not."}, finish="stop"))
    events = await assistant.events()
    assert [event for event in events if isinstance(event, TextDelta | RefusalDelta)] == [
        RefusalDelta("I will"),
        RefusalDelta(" not."),
    ]
    assert events[-1] == Finished("stop", 1)


async def test_a_refusal_needs_no_json(assistant: Assistant) -> None:
    assistant.script(whole({"role": "assistant", "content": None, "refusal": "No."}, "stop"))
    events = await assistant.events(parameters={"response_format": {"type": "json_object"}})
    assert RefusalDelta("No.") in events
    assert len(assistant.bodies()) == 1


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"), ("end_turn", "stop"), ("eos", "stop"), ("whatever", "stop"), ("STOP", "stop"),
        ("length", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"),
        ("content_filter", "content_filter"), ("SAFETY", "content_filter"), ("sensitive", "content_filter"),
    ],
)  # fmt: skip
async def test_finish_reasons_are_those_of_openai(assistant: Assistant, reason: str, finish: Any) -> None:
    assistant.script({"text": "Hi", "finish_reason": reason})
    assert (await assistant.events())[-1] == Finished(finish, 1)


@pytest.mark.parametrize("reason", ["error", "ERROR", "network_error", "abort"])
@pytest.mark.parametrize("step", [sse, whole])
async def test_an_answer_that_ends_in_an_error_is_one(assistant: Assistant, reason: str, step: Any) -> None:
    assistant.script(step({"content": "Half of"}, finish=reason))
    with pytest.raises(UpstreamFailed) as failure:
        await assistant.events()
    assert failure.value.code == "upstream_error"


async def test_what_follows_done_is_dropped(assistant: Assistant) -> None:
    step = sse({"content": "Hi"}, finish="stop")
    late = 'data: {"choices":[{"index":0,"delta":{"content":" late"}}]}\n\n'
    assistant.script({"sse": ["".join([*step["sse"], late])]})
    assert text(await assistant.events()) == "Hi"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": "12", "completion_tokens": True},
    ],
)
@pytest.mark.parametrize("step", [sse, whole])
async def test_missing_tokens_are_estimated(assistant: Assistant, usage: Any, step: Any) -> None:
    assistant.script(step({"content": "x" * 40}, finish="stop", usage=usage))
    [used] = [event for event in await assistant.events("y" * 400) if isinstance(event, Usage)]
    assert used.is_estimated
    assert used.completion_tokens == 10
    assert 100 <= used.prompt_tokens <= 110


async def test_reported_tokens_are_rounded_up_and_not_estimated(assistant: Assistant) -> None:
    counts = {"prompt_tokens": 12.4, "completion_tokens": 2.0}
    assistant.script(sse({"content": "Hi"}, finish="stop", usage=counts))
    assert Usage(13, 2) in await assistant.events()


async def test_details_are_summed_over_rounds(assistant: Assistant) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    counts = {"prompt_tokens": 10, "completion_tokens": 5, **details}
    deepseek = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}
    assistant.script(
        sse({"tool_calls": [call(index=0)]}, usage=counts),
        sse({"content": "Hi"}, finish="stop", usage=deepseek),
    )
    expected = Usage(20, 10, {"cached_tokens": 7}, {"reasoning_tokens": 2})
    assert expected in await assistant.events(client_tools=WEATHER)


async def test_a_forced_client_tool_is_forced_until_it_is_called(assistant: Assistant) -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    for choice in ("required", named):
        assistant.script(
            sse({"tool_calls": [call("ghost")]}),
            sse({"tool_calls": [call("ghost", '{"n":2}')]}),
            sse({"tool_calls": [call("weather"), call("ghost")]}),
        )
        events = await assistant.events(client_tools=WEATHER, tool_choice=choice, max_rounds=2)
        assert [each.name for each in client_calls(events)] == ["weather"]
        assert [body["tool_choice"] for body in assistant.bodies()] == [choice] * 3
        names = [tool["function"]["name"] for tool in assistant.bodies()[2]["tools"]]
        assert names == ["weather", "look"]
